"""The dry run of ``generate`` against really measured ones: the peak of living tensors, by torch's own memory events."""

import pytest
import torch

from helpers.data import load_chartqa
from helpers.memory import PRECISIONS, estimate_generation_memory, estimate_scoring_memory, profile_peak, weight_bytes
from helpers.models import SHORT_ANSWER, chat, load_model

TARGET = 0.03


def prompts(processor, batch_size):
    row = load_chartqa("embedded", "train", 1)[0]
    text = processor.apply_chat_template(chat(row["query"], SHORT_ANSWER), add_generation_prompt=True)
    return dict(processor(text=[text] * batch_size, images=[[row["image"]]] * batch_size, return_tensors="pt"))


def measure_and_estimate(processor, batch_size, new_tokens):
    batch = prompts(processor, batch_size)
    model = load_model("embedded").eval()

    def work():
        torch.manual_seed(0)
        model.generate(**batch, do_sample=True, min_new_tokens=new_tokens, max_new_tokens=new_tokens)

    work()  # what is made once
    measured = profile_peak(work, [*model.parameters(), *model.buffers(), *batch.values()])
    image_tokens = int((batch["input_ids"][0] == model.config.image_token_id).sum())
    sizes = {"batch_size": batch_size, "text_tokens": batch["input_ids"].shape[1] - image_tokens, "new_tokens": new_tokens}
    return measured, estimate_generation_memory("embedded", precision="float32", **sizes)


@pytest.mark.parametrize(("batch_size", "new_tokens"), [(1, 1), (1, 16), (16, 8), (32, 100)])
def test_the_peak_is_the_measured_one(processor, batch_size, new_tokens):
    measured, estimate = measure_and_estimate(processor, batch_size, new_tokens)
    print(f"measured {measured / 1e6:.3f} MB, dry run {estimate.total / 1e6:.3f} MB: {estimate.total / measured - 1:+.3%}")
    assert abs(estimate.total / measured - 1) < TARGET


@pytest.mark.parametrize("new_tokens", [1, 2, 700])
def test_a_processors_own_batch_has_the_peak_of_one_that_is_made_up(processor, new_tokens):
    batch = prompts(processor, 4)
    tokens = batch["input_ids"].shape[1] - int((batch["input_ids"][0] == processor.image_token_id).sum())
    made_up = estimate_generation_memory("embedded", batch_size=4, text_tokens=tokens, new_tokens=new_tokens)
    own = estimate_generation_memory("embedded", batch=batch, new_tokens=new_tokens)
    assert own.total == pytest.approx(made_up.total, rel=0.005)


@pytest.mark.parametrize("batch_size", [1, 16])
def test_the_peak_of_a_validation_loss_is_the_measured_one(processor, batch_size):
    batch = prompts(processor, batch_size)
    batch["labels"] = batch["input_ids"].clone()
    model = load_model("embedded").eval()

    @torch.no_grad()
    def work():
        model(**batch, use_cache=False)

    work()  # what is made once
    measured = profile_peak(work, [*model.parameters(), *model.buffers(), *batch.values()])
    estimate = estimate_scoring_memory("embedded", batch, precision="float32")
    print(f"measured {measured / 1e6:.3f} MB, dry run {estimate.total / 1e6:.3f} MB: {estimate.total / measured - 1:+.3%}")
    assert abs(estimate.total / measured - 1) < TARGET


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_weights_are_those_that_are_loaded(precision):
    estimate = estimate_generation_memory("embedded", precision=precision, batch_size=2)
    assert estimate.weights == weight_bytes("embedded", precision).total
    assert estimate.activations > 0
    assert (estimate.gradients, estimate.optimizer, estimate.adapters) == (0, 0, 0)


def test_four_bits_of_a_released_model_are_counted_on_any_cpu():
    """On a CPU with bfloat16 units bitsandbytes packs 4-bit weights anew, and refused the tower's layers of 4,304 outputs."""
    estimate = estimate_generation_memory("SmolVLM2-2.2B", precision="nf4-double-quant", new_tokens=1)
    assert estimate.weights == weight_bytes("SmolVLM2-2.2B", "nf4-double-quant").total


def test_longer_answers_take_more_once_the_cache_makes_the_peak():
    short, long, longer = (
        estimate_generation_memory("embedded", batch_size=8, new_tokens=new).activations for new in (1, 1500, 3000)
    )
    assert short < long < longer


@pytest.mark.parametrize("size", ["batch_size", "image_tiles", "text_tokens", "new_tokens"])
def test_bad_sizes_are_named(size):
    with pytest.raises(ValueError, match=f"{size} is 0"):
        estimate_generation_memory("embedded", **{size: 0})
