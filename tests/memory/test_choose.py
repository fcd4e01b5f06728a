"""What ``auto`` comes to: on planted cards, against real dry runs, and on the card whose peaks were measured."""

import json

import pytest
import torch
from peft import LoraConfig
from transformers import AutoProcessor

from helpers.course import gpu_model, load_profile
from helpers.data import load_chartqa, load_preferences
from helpers.lora import text_layers
from helpers.memory import (
    MOST,
    MemoryBreakdown,
    NoRoomError,
    choose,
    choose_batch,
    choose_eval_batch,
    estimate_generation_memory,
    estimate_scoring_memory,
    estimate_training_memory,
    largest_example,
    one_example,
    repeated,
    room_for_tensors,
    stored_as,
)
from helpers.models import SHORT_ANSWER, Hardware, chat, choose_precision, load_config
from tests.models.families import FAMILIES, build

WEIGHTS, WITHOUT, WITH = 4.5e9, 5.6e9, 0.9e9  # bytes of a model, and of an example in each way: SmolVLM2-2.2B's


def card(gigabytes: float) -> Hardware:
    return Hardware("cuda", "a card", int(1e9 * gigabytes), native_bf16=True)


@pytest.fixture
def planted(monkeypatch):
    """Dry runs that take what the figures above say; the batches they were asked about, in ``planted``."""
    asked = []

    def training(config, *, batch, activation_checkpointing, **settings):
        asked.append((len(batch["input_ids"]), activation_checkpointing))
        each = WITH if activation_checkpointing else WITHOUT
        return MemoryBreakdown(weights=int(WEIGHTS), activations=int(len(batch["input_ids"]) * each))

    def answering(config, *args, precision, **settings):
        batch = args[0] if args else settings["batch"]
        asked.append((len(batch["input_ids"]), bool(args)))
        return MemoryBreakdown(weights=int(WEIGHTS), activations=int(len(batch["input_ids"]) * 0.5e9))

    monkeypatch.setattr(choose, "estimate_training_memory", training)
    monkeypatch.setattr(choose, "estimate_generation_memory", answering)
    monkeypatch.setattr(choose, "estimate_scoring_memory", answering)
    monkeypatch.setattr(choose, "largest_example", lambda rows, processor: {"input_ids": torch.zeros(1, 3)})
    return asked


def chosen(hardware, batch_size="auto", checkpointing="auto", **settings):
    return choose_batch(
        "x", None, None, hardware, "bfloat16", batch_size=batch_size, checkpointing=checkpointing, lora=None, **settings
    )


def test_what_is_given_stays_and_nothing_is_asked(planted):
    assert chosen(card(1), 4, False, examples=12) == (4, 3, False, "as the profile asks")
    assert chosen(card(1), 4, True) == (4, 1, True, "as the profile asks")
    assert choose_eval_batch("x", None, None, card(1), "bfloat16", batch_size=64) == (64, "as the profile asks")
    assert planted == []


@pytest.mark.parametrize(
    ("gigabytes", "batch_size", "checkpointing", "wanted"),
    [
        (141, "auto", "auto", (16, 1, False)),
        (80, "auto", "auto", (8, 2, False)),
        (24, "auto", "auto", (2, 8, False)),
        (12, "auto", "auto", (4, 4, True)),  # not even one without
        (24, "auto", True, (8, 2, True)),
        (24, 4, "auto", (4, 4, True)),
        (40, 4, "auto", (4, 4, False)),
    ],
)
def test_the_largest_that_fits_and_checkpointing_only_where_nothing_does_without(
    planted, gigabytes, batch_size, checkpointing, wanted
):
    found = chosen(card(gigabytes), batch_size, checkpointing, examples=16)
    assert found[:3] == wanted
    size, _, way = found[:3]
    assert WEIGHTS + size * (WITH if way else WITHOUT) <= room_for_tensors(card(gigabytes))


@pytest.mark.parametrize("examples", [1, 3, 7, 12, 16, 37, 64])
def test_a_step_learns_from_as_many_examples_as_before(planted, examples):
    for gigabytes in (12, 20, 24, 48, 80, 141, 1000):
        size, accumulation, _, _ = chosen(card(gigabytes), examples=examples)
        assert size * accumulation == examples
        assert size <= MOST


@pytest.mark.parametrize("checkpointing", ["auto", False])
@pytest.mark.parametrize(("batch_size", "examples"), [(16, 12), (5, 12)])
def test_a_batch_that_does_not_divide_the_examples_is_refused(planted, batch_size, examples, checkpointing):
    with pytest.raises(ValueError, match=f"no batches of {batch_size} come to .* give a batch_size that divides {examples}"):
        chosen(card(1000), batch_size, checkpointing, examples=examples)
    assert planted == []


def test_the_dry_run_is_told_how_it_will_be_trained(planted, monkeypatch):
    told, dry_run = [], choose.estimate_training_memory

    def noted(config, **settings):
        told.append((settings["precision"], settings["frozen_vision"], settings["lora"]))
        return dry_run(config, **settings)

    monkeypatch.setattr(choose, "estimate_training_memory", noted)
    chosen(card(141), 4)
    chosen(card(141), 4, quantization="4bit", frozen_vision=True)
    assert told == [("bfloat16", False, None), (stored_as("bfloat16", "4bit"), True, None)]
    assert stored_as("bfloat16", "4bit") != "bfloat16"


def test_the_reason_says_what_was_weighed(planted):
    has = "this card has {} GB, of which tensors may take {} GB"
    assert chosen(card(24), 4, "auto")[-1] == f"27 GB without checkpointing, 8.1 GB with; {has.format(24, 18)}"
    assert chosen(card(141), 4, "auto")[-1] == f"27 GB without checkpointing; {has.format(141, 112)}"
    assert chosen(card(24), "auto", True, examples=16)[-1] == f"12 GB with checkpointing; {has.format(24, 18)}"
    computer = Hardware("cpu", "2 threads", 64_000_000_000, native_bf16=False)
    assert chosen(computer, 4, "auto")[-1] == (
        "27 GB without checkpointing; this computer has 64 GB, of which tensors may take 32 GB"
    )


def test_where_nothing_fits_it_says_what_to_do(planted):
    with pytest.raises(NoRoomError) as error:
        chosen(card(6), "auto", "auto", examples=16)
    assert str(error.value) == (
        "one example would take 10 GB without checkpointing, 5.4 GB with; this card has 6.0 GB, of which tensors may take "
        "4.0 GB. Try QUANTIZATION=4bit, smaller pictures (docs/your_model.md), a smaller MODEL, or a machine with more memory. "
        "What is given in place of auto is tried without a dry run"
    )
    with pytest.raises(NoRoomError, match=r"4 examples at once .*Try a smaller batch, QUANTIZATION=4bit"):
        chosen(card(8), 4, "auto")
    with pytest.raises(NoRoomError, match=r"without checkpointing; .*Try ACTIVATION_CHECKPOINTING=auto"):
        chosen(card(8), "auto", False, examples=16)
    with pytest.raises(NoRoomError, match=r"one question would take 5\.0 GB"):
        choose_eval_batch("x", None, None, card(6), "bfloat16", batch_size="auto")
    with pytest.raises(ValueError, match="say in examples"):
        chosen(card(24))


def test_sizes_to_choose_from_can_be_given(planted):
    def chosen_of(gigabytes, *sizes):
        return choose_eval_batch("x", None, None, card(gigabytes), "bfloat16", batch_size="auto", sizes=sizes)[0]

    assert chosen_of(24, 8, 16, 24, 48) == 24  # 4.5 + 12 GB of 18
    assert chosen_of(141, 8, 16, 24, 48) == 48
    with pytest.raises(NoRoomError, match=r"24 questions at once would take 16 GB.*Try fewer at once, QUANTIZATION=4bit"):
        chosen_of(16, 24, 48)


def test_other_models_on_the_card_take_their_room(planted):
    assert chosen(card(24), 2, "auto")[2] is False
    assert chosen(card(24), 2, "auto", models=3)[2] is True
    answered = [choose_eval_batch("x", None, None, card(40), "bfloat16", batch_size="auto", models=n)[0] for n in (1, 5)]
    assert answered == [32, 16]


def test_what_is_scored_counts_where_it_takes_more(planted):
    sizes = [choose_eval_batch("x", None, None, card(24), "bfloat16", batch_size="auto", scored=n)[0] for n in (0, 1, 2)]
    assert sizes == [16, 16, 8]


@pytest.fixture(scope="module")
def rows():
    return load_chartqa("embedded", "train", 64)


@pytest.mark.parametrize("way", [False, True])
def test_the_limit_is_the_dry_runs_to_the_byte(processor, rows, way):
    lora = LoraConfig(r=4, target_modules=text_layers("embedded"))
    four = estimate_training_memory(
        "embedded", lora=lora, precision="float32", batch=repeated(largest_example(rows, processor), 4),
        activation_checkpointing=way,
    ).total  # fmt: skip
    for memory, size in ((2 * four, 4), (2 * four - 2, 2)):
        computer = Hardware("cpu", "a computer", memory, native_bf16=False)
        found = choose_batch(
            "embedded", processor, rows, computer, "float32", batch_size="auto", examples=8, checkpointing=way, lora=lora
        )
        assert found[:3] == (size, 8 // size, way)


def test_questions_fit_by_the_dry_run_of_answering(processor, rows):
    eight = repeated(largest_example(rows, processor), 8)
    answered = estimate_generation_memory("embedded", precision="float32", batch=eight, new_tokens=4).total
    scored = estimate_scoring_memory("embedded", eight, precision="float32").total
    assert scored > answered
    computer = Hardware("cpu", "a computer", 2 * answered, native_bf16=False)
    how = {"batch_size": "auto", "new_tokens": 4}
    assert choose_eval_batch("embedded", processor, rows, computer, "float32", **how)[0] == 8
    assert choose_eval_batch("embedded", processor, rows, computer, "float32", scored=1, **how)[0] < 8


def test_the_largest_stands_for_all(processor):
    rows = load_chartqa("embedded", "train", 200)
    longest = max(len(row["query"]) for row in rows.select_columns("query"))
    found = processor.batch_decode(largest_example(rows, processor)["input_ids"])[0]
    assert any(row["query"] in found for row in rows.select_columns("query") if len(row["query"]) == longest)
    wide = [{"image": row["image"].resize((40 * (at + 1), 40)), "query": "?"} for at, row in enumerate(rows.select(range(3)))]
    cutting = gpu_model.processor_like("SmolVLM2-2.2B")
    tiles = [one_example(row, cutting)["pixel_values"].shape[1] for row in wide]
    assert tiles[0] > tiles[2], "a square is cut into more tiles than a strip"
    assert largest_example(load_preferences("embedded", "train", 8), processor)["input_ids"].shape[0] == 1


@pytest.mark.parametrize("family", [make.__name__ for make in FAMILIES])
def test_an_example_repeated_is_the_processors_own_batch_in_every_family(family, tmp_path, rows):
    folder = build(family, tmp_path / family)
    processor, row = AutoProcessor.from_pretrained(folder), {**rows[0], "image": rows[0]["image"].resize((180, 100))}
    one = one_example(row, processor)
    said = repeated(one, 3)
    turn = {"role": "assistant", "content": [{"type": "text", "text": row["label"][0]}]}
    text = processor.apply_chat_template([*chat(row["query"], SHORT_ANSWER), turn])
    own = processor(text=[text] * 3, images=[[row["image"]]] * 3, return_tensors="pt", add_special_tokens=False)
    assert said.keys() == own.keys()
    assert all(torch.equal(torch.as_tensor(value), torch.as_tensor(own[name])) for name, value in said.items())
    few = estimate_generation_memory(folder, precision="float32", batch=repeated(one, 2), new_tokens=4)
    more = estimate_generation_memory(folder, precision="float32", batch=said, new_tokens=4)
    assert few.weights == more.weights
    assert 0 < few.activations < more.activations < 1.6 * few.activations


def measured_steps(shared) -> list[dict]:
    return json.loads((shared / "published" / "gpu_h200.json").read_text())["steps"]


def test_the_rule_keeps_as_much_free_as_the_allocator_took(shared):
    for row in measured_steps(shared):
        assert room_for_tensors(card(row["reserved_gb"] + 1)) <= 1e9 * row["measured_gb"], row["name"]


@pytest.mark.slow
def test_lesson_04_on_the_card_whose_peaks_were_measured_and_on_a_smaller_one(shared, rows, monkeypatch):
    steps = measured_steps(shared)
    processor, config = gpu_model.processor_like("SmolVLM2-2.2B"), load_config("SmolVLM2-2.2B")
    config.image_token_id = processor.image_token_id
    chart = one_example({**rows[0], "image": rows[0]["image"].resize((850, 600))}, processor)
    assert chart["pixel_values"].shape[1] == steps[0]["tiles"]
    monkeypatch.setattr(choose, "largest_example", lambda rows, processor: chart)
    lora = LoraConfig(r=8, target_modules=text_layers("SmolVLM2-2.2B"))
    settings = {"batch_size": 4, "examples": 16, "checkpointing": "auto", "lora": lora, "frozen_vision": True}
    for gigabytes, way, name in ((24, True, "LoRA, checkpointing, eyes"), (141, False, "LoRA")):
        found = choose_batch(config, processor, rows, card(gigabytes), "bfloat16", **settings)
        assert found[:3] == (4, 4, way)
        (measured,) = (row["measured_gb"] for row in steps if row["name"] == name)
        print(found[-1], measured)
        said = float(found[-1].partition(" GB with;" if way else " GB without")[0].split()[-1])
        assert said == pytest.approx(measured, rel=0.03)  # a question of a few tokens fewer, and two digits


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "gigabytes", "quantization"), [("t4", 16, "4bit"), ("gpu", 24, "none")])
def test_a_step_of_lesson_08_has_room_on_the_profiles_card(rows, monkeypatch, profile, gigabytes, quantization):
    """By the dry run: sampled in whole groups, and the update in as many answers at once as the profile says."""
    values = load_profile(profile)
    processor, config = gpu_model.processor_like("SmolVLM2-2.2B"), load_config("SmolVLM2-2.2B")
    config.image_token_id = processor.image_token_id
    chart = one_example({**rows[0], "image": rows[0]["image"].resize((850, 600))}, processor)
    monkeypatch.setattr(choose, "largest_example", lambda rows, processor: chart)
    here = (config, processor, rows, card(gigabytes), choose_precision("auto", card(gigabytes))[0], quantization)
    group, answers = values["GROUP_SIZE"], values["GROUPS"] * values["GROUP_SIZE"]
    sizes = [size for size in range(group, answers + 1, group) if answers % size == 0]
    sampled, why = choose_eval_batch(*here, batch_size="auto", sizes=sizes, new_tokens=values["MAX_ANSWER"], models=3)
    print(f"{profile}: {sampled} of {answers} sampled at once ({why})")
    assert sampled == 16
    lora = LoraConfig(r=values["LORA_RANK"], target_modules=text_layers("SmolVLM2-2.2B"))
    update = choose_batch(
        *here, batch_size=values["GRPO_BATCH_SIZE"], checkpointing=values["ACTIVATION_CHECKPOINTING"], lora=lora,
        frozen_vision=True, models=3,
    )  # fmt: skip
    print(f"{profile}: {update}")
    assert update[2] is (profile == "gpu"), "checkpointing: not beside 4-bit weights and one answer, but for four in 16 bit"
