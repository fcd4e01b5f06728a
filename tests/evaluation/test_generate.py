"""Each picture is looked at once, and nothing that is answered changes: held against a plain loop, question after question."""

import pytest
import torch
from datasets import Dataset, Features, Value
from datasets import Image as ImageColumn
from peft import LoraConfig, get_peft_model
from PIL import Image as PILImage
from torch.utils._pytree import tree_leaves
from trl import SFTConfig, SFTTrainer

from helpers.course import gpu_speed
from helpers.data import load_chartqa, load_preferences, questions_of, stored_pictures
from helpers.evaluation import KeptFeatures, WithOtherCharts, asked, features, generate, generate_answers
from helpers.lora import text_layers
from helpers.models import SHORT_ANSWER, chat, load_model, load_processor, vision_tower
from tests.models.families import FAMILIES, build


@torch.inference_mode()
def plainly(model, processor, rows, new=16) -> list[str]:
    """One question, one picture, one call."""
    answers = []
    for row in rows:
        text = processor.apply_chat_template(chat(row["query"], SHORT_ANSWER), add_generation_prompt=True)
        inputs = processor(text=[text], images=[[row["image"]]], return_tensors="pt", add_special_tokens=False)
        written = model.generate(**inputs, do_sample=False, max_new_tokens=new)
        answers += processor.batch_decode(written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return [answer.strip() for answer in answers]


@pytest.fixture
def tower_calls(model, monkeypatch):
    """How many pictures the tower was shown, call by call."""
    calls, encode = [], model.model.get_image_features

    def counted(pixel_values, pixel_attention_mask=None, **options):
        calls.append(len(pixel_values))
        return encode(pixel_values, pixel_attention_mask, **options)

    monkeypatch.setattr(model.model, "get_image_features", counted)
    return calls


def charts(count: int, each: int = 3) -> Dataset:
    """Test rows about ``count`` charts, ``each`` questions about every one, mixed up."""
    rows = load_chartqa("embedded", "test")
    groups = [group[:each] for group in asked.Asked.of(rows).by_picture() if len(group) >= each][:count]
    return rows.select([group[n] for n in range(each) for group in groups])


def test_answers_are_those_of_a_plain_loop_and_each_picture_is_seen_once(model, processor, tower_calls):
    rows = charts(7)
    wanted = plainly(model, processor, rows)
    del tower_calls[:]
    assert generate_answers(model, processor, rows, batch_size=4) == wanted
    assert sum(tower_calls) == 7
    assert len(set(wanted)) > 3


def test_features_are_kept_for_the_same_eyes_and_no_others(model, processor, tower_calls):
    rows, kept = charts(6, each=2), KeptFeatures()
    base = generate_answers(model, processor, rows, kept=kept)
    wrong = WithOtherCharts(rows)
    tuned = get_peft_model(
        load_model("embedded"),
        LoraConfig(r=4, target_modules=text_layers("embedded"), init_lora_weights=False, task_type="CAUSAL_LM"),
    )
    wanted = plainly(tuned, processor, rows), plainly(tuned, processor, wrong)
    looks, inside = [], tuned.get_base_model().model
    encode = inside.get_image_features
    inside.get_image_features = lambda pixel_values, **rest: looks.append(1) or encode(pixel_values, **rest)
    assert generate_answers(tuned, processor, rows, kept=kept) == wanted[0] != base
    assert generate_answers(tuned, processor, wrong, kept=kept) == wanted[1]
    assert not looks, "its eyes are the base's, and have seen all of it"


@pytest.mark.parametrize("where", ["vision_model", "connector"])
def test_an_adapter_in_the_eyes_is_never_served_what_others_saw(where, processor):
    rows, kept = charts(4, each=2), KeptFeatures()
    model = load_model("embedded")
    generate_answers(model, processor, rows, kept=kept)
    names = [n for n, m in model.named_modules() if where in n and isinstance(m, torch.nn.Linear)]
    lora = LoraConfig(r=4, lora_alpha=64, target_modules=names, init_lora_weights=False, task_type="CAUSAL_LM")
    adapted = get_peft_model(model, lora)
    wanted = plainly(adapted, processor, rows)
    assert generate_answers(adapted, processor, rows, kept=kept) == wanted
    with adapted.disable_adapter():
        assert generate_answers(adapted, processor, rows, kept=kept) == plainly(adapted, processor, rows)
    assert generate_answers(adapted, processor, rows, kept=kept) == wanted, "switched on again"
    assert features.eyes_key(adapted, processor) is None


def test_other_weights_or_settings_of_the_eyes_are_other_eyes(processor):
    model = load_model("embedded")
    key = features.eyes_key(model, processor)
    assert key == features.eyes_key(load_model("embedded"), processor)
    weight = next(vision_tower(model).parameters())
    weight.data.view(-1)[0] += 1e-3
    assert features.eyes_key(model, processor) != key
    weight.data.view(-1)[0] = next(vision_tower(load_model("embedded")).parameters()).data.view(-1)[0]
    next(model.get_decoder().parameters()).data += 1
    assert features.eyes_key(model, processor) == key, "the text model is not the eyes"
    assert features.eyes_key(model.bfloat16(), processor) != key
    smaller = load_processor("embedded")
    smaller.image_processor.size = {"longest_edge": 64}
    assert features.eyes_key(load_model("embedded"), smaller) != key


def test_what_is_kept_is_bounded(model, processor, tower_calls):
    rows = charts(5, each=1)
    all_of_it, some = KeptFeatures(), KeptFeatures(max_bytes=100_000)
    wanted = generate_answers(model, processor, rows, kept=all_of_it)
    features_of_one, beside_them = 64 * 128 * 4, 100  # bytes; the account has the pixels' shapes alone
    assert 5 * features_of_one < all_of_it.bytes == really_held(all_of_it) < 5 * (features_of_one + beside_them)
    assert generate_answers(model, processor, rows, kept=some) == wanted
    assert len(some.entries) == 3
    assert some.bytes == really_held(some) <= 100_000
    del tower_calls[:]
    assert generate_answers(model, processor, rows, kept=some) == wanted
    assert sum(tower_calls) == 2


def tensors_of(kept: KeptFeatures) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(list(kept.entries.values())) if isinstance(leaf, torch.Tensor)]


def really_held(kept: KeptFeatures) -> int:
    """Bytes of all storages, each once."""
    storages = [tensor.untyped_storage() for tensor in tensors_of(kept)]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def test_what_is_kept_of_loading_processes_is_no_longer_in_shared_memory(model, processor, tower_calls, monkeypatch):
    """There is little of it in a container, and each tensor in it is an open file."""
    rows, kept = charts(6), KeptFeatures()
    monkeypatch.setattr(generate, "spare_workers", lambda device: 2)
    wanted = generate_answers(model, processor, rows, kept=kept)
    assert len(tensors_of(kept)) == 3 * 6  # pixels and their mask, and what the tower made of them
    assert not any(tensor.is_shared() for tensor in tensors_of(kept))
    assert kept.bytes == really_held(kept)
    del tower_calls[:]
    assert generate_answers(model, processor, rows, kept=kept) == wanted == generate_answers(model, processor, rows)
    assert sum(tower_calls) == 6, "of the last call alone, which was given nothing"


def test_a_trainer_leaves_the_eyes_what_they_were(processor, tmp_path):
    model = load_model("embedded")
    key = features.eyes_key(model, processor)
    config = SFTConfig(
        output_dir=str(tmp_path), max_steps=1, per_device_train_batch_size=2, use_cpu=True, bf16=False, max_length=None,
        activation_checkpointing=False, save_strategy="no", report_to="none", remove_unused_columns=False,
    )  # fmt: skip
    rows = load_chartqa("embedded", "train", 2).with_transform(gpu_speed.to_conversations)
    lora = LoraConfig(r=4, target_modules=text_layers("embedded"), task_type="CAUSAL_LM")
    trainer = SFTTrainer(model=model, args=config, processing_class=processor, train_dataset=rows, peft_config=lora)
    trainer.train()
    assert not trainer.model.get_base_model().config.use_cache, "a trainer has no use for a cache"
    assert features.eyes_key(trainer.model, processor) == key
    trainer.model.get_base_model().config.scale_factor = 4
    assert features.eyes_key(trainer.model, processor) != key, "how pixels become tokens is of the eyes"


def test_in_other_processes_too(model, processor, monkeypatch):
    rows = charts(6)
    wanted = generate_answers(model, processor, rows)
    monkeypatch.setattr(generate, "spare_workers", lambda device: 2)
    assert generate_answers(model, processor, rows) == wanted


def test_pictures_stay_closed_unless_a_transform_may_change_them():
    rows = charts(3)
    stored = stored_pictures(rows)
    assert len(set(stored.keys)) == 3
    assert set(stored.sizes) == {(512, 512)}
    assert stored.texts["query"] == list(rows["query"])
    assert asked.Asked.of(rows).keys == stored.keys
    questions = questions_of(load_preferences("embedded", "test", 5))
    assert list(stored_pictures(questions).texts["query"]) == [row["query"] for row in questions]

    def cut(batch):
        """The file is the same, the picture isn't."""
        return {"image": [image.crop((0, 0, 100 + n, 100)) for n, image in enumerate(batch["image"])], "query": batch["query"]}

    changed = rows.with_transform(cut)
    assert stored_pictures(changed) is None
    assert asked.Asked.of(changed).sizes == [(100, 100)] * len(rows)


def test_the_same_bytes_under_another_palette_are_another_picture(model, processor):
    """Of pictures that load_chartqa didn't make: a list, or a data set with a column of one's own."""
    first = load_chartqa("embedded", "test", 2)[0]["image"].convert("P", palette=PILImage.Palette.ADAPTIVE)
    second = first.copy()
    second.putpalette([255 - value for value in first.getpalette()])
    assert first.tobytes() == second.tobytes()
    rows = [{"image": picture, "query": "Describe the chart."} for picture in (first, second)]
    files = Dataset.from_list(rows, features=Features({"image": ImageColumn(), "query": Value("string")}))
    alone = [generate_answers(model, processor, [row])[0] for row in rows]
    assert alone[0] != alone[1], "the two look too much alike to tell"
    assert generate_answers(model, processor, rows) == alone
    assert generate_answers(model, processor, files) == alone


def test_no_batch_holds_no_question(model, processor):
    with pytest.raises(ValueError, match="batch_size is 0"):
        generate_answers(model, processor, load_chartqa("embedded", "test", 2), batch_size=0)


def test_older_designs_are_given_their_pixels(model, processor, monkeypatch):
    rows = charts(4)
    wanted = generate_answers(model, processor, rows)
    monkeypatch.setattr(generate, "takes_features", lambda model: False)
    assert generate_answers(model, processor, rows, batch_size=5) == wanted


@pytest.mark.parametrize("family", [make.__name__ for make in FAMILIES])
def test_every_family_answers_as_in_a_plain_loop(family, tmp_path):
    folder = build(family, tmp_path / family)
    model, processor = load_model(folder), load_processor(folder)
    some = load_chartqa("embedded", "test", 4)
    pictures = [row["image"].resize((120 + 40 * (at % 3), 100)) for at, row in enumerate(some)]
    rows = [{"image": pictures[at % 4], "query": f"{some[at % 4]['query']} {'And why? ' * (at % 3)}"} for at in range(10)]
    wanted, kept = plainly(model, processor, rows, new=6), KeptFeatures()
    for _ in range(2):
        assert generate_answers(model, processor, rows, batch_size=4, max_new_tokens=6, kept=kept) == wanted
    assert len(kept.entries) == 4
    assert any(wanted)
