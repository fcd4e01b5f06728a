"""What the vision tower made of each picture is kept, for any family: exact, once, and not without end."""

from functools import wraps

import pytest
import torch
from peft import LoraConfig, get_peft_model
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from helpers.data import load_chartqa, open_picture
from helpers.evaluation import generate_answers
from helpers.lora import text_layers
from helpers.models import SHORT_ANSWER, bytes_of, load_model, load_processor, look_once
from tests.models.families import FAMILIES


@pytest.fixture(params=["embedded", *(make.__name__ for make in FAMILIES)])
def a_model(request, family_folder):
    name = request.param if request.param == "embedded" else family_folder(request.param)
    lora = LoraConfig(r=2, target_modules=text_layers(name), init_lora_weights=False, task_type="CAUSAL_LM")
    return get_peft_model(load_model(name), lora).eval(), load_processor(name)


def test_looking_once_changes_nothing_but_the_work(a_model):
    model, processor = a_model
    rows = load_chartqa("embedded", "train", 3)
    examples = [
        {
            "image": open_picture(row["image"]), "prompt": [{"role": "user", "content": row["query"]}],
            "completion": [{"role": "assistant", "content": row["label"][0]}],
        }
        for row in rows
    ]  # fmt: skip
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    batches = [collate([dict(examples[at]) for at in order]) for order in ((0, 0, 1, 1), (1, 2, 0, 2))]

    def ask():
        """Logits of the model in training, and of its reference: itself without the adapter."""
        answers = [model(**batch).logits for batch in batches]
        with torch.no_grad(), model.disable_adapter():
            return [*answers, *(model(**batch).logits for batch in batches)]

    before, answers = ask(), generate_answers(model, processor, rows, system=SHORT_ANSWER, max_new_tokens=4)
    looked_at, inside = [], model.get_base_model().model
    encode = inside.get_image_features
    inside.get_image_features = wraps(encode)(lambda *given, **named: looked_at.append(1) or encode(*given, **named))
    seen = look_once(model)
    after = ask()
    assert len(looked_at) == len(seen) == 3
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    assert after[0].requires_grad
    assert (after[0] - after[2]).abs().max() > 1e-3, "the adapter does nothing: model and reference can't be told apart"
    assert generate_answers(model, processor, rows, system=SHORT_ANSWER, max_new_tokens=4) == answers


def test_what_is_kept_of_the_pictures_has_an_end(a_model):
    model, processor = a_model
    seen = look_once(model, room=1)
    generate_answers(model, processor, load_chartqa("embedded", "train", 3), max_new_tokens=1)
    assert len(seen) == 1


def test_what_is_kept_stays_in_its_room_where_pictures_are_of_many_sizes():
    model = load_model("embedded").requires_grad_(False)
    edge = model.config.vision_config.image_size
    one_tile = bytes_of(model.model.get_image_features(torch.rand(1, 1, 3, edge, edge)).pooler_output)
    seen = look_once(model, room=20 * one_tile)
    for tiles in (5, 5, 5, 5, *[1] * 16):
        model.model.get_image_features(torch.rand(1, tiles, 3, edge, edge))
        assert bytes_of(list(seen.values())) <= 20 * one_tile
    assert bytes_of(list(seen.values())) > 15 * one_tile, "it keeps less than it has room for"


def test_eyes_that_learn_are_refused():
    lora = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    with pytest.raises(ValueError, match=r"(vision_model|connector).* is trained.*freeze it"):
        look_once(get_peft_model(load_model("embedded"), lora))


def test_what_was_seen_serves_another_model_with_the_same_eyes():
    processor, rows = load_processor("embedded"), load_chartqa("embedded", "train", 3)
    seen = look_once(first := load_model("embedded").requires_grad_(False))
    said = generate_answers(first, processor, rows, max_new_tokens=4)
    second = load_model("embedded").requires_grad_(False)
    second.model.vision_model.register_forward_hook(lambda *_: pytest.fail("it looked again"))
    assert look_once(second, seen) is seen
    assert generate_answers(second, processor, rows, max_new_tokens=4) == said
