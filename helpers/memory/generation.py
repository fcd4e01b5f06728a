"""Dry run of ``generate``, with its cache of keys and values, and of a validation loss: a model at work without a gradient."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn
from transformers import GenerationConfig

from helpers.memory.dry_run import check_sizes
from helpers.memory.fake_batches import make_batch, with_fake_floats
from helpers.memory.fake_floats import FakeFloats
from helpers.memory.fake_model import give_fake_weights, typed_skeleton
from helpers.memory.live_tensors import LiveTensors
from helpers.memory.weights import MemoryBreakdown, check_precision
from helpers.models import load_config


def estimate_generation_memory(
    config,
    *,
    precision: str = "bfloat16",
    batch_size: int = 1,
    image_tiles: int = 1,
    text_tokens: int = 100,
    new_tokens: int = 16,
    batch: Mapping | None = None,
) -> MemoryBreakdown:
    """What lives at the peak while ``generate`` samples ``new_tokens`` for each prompt, in bytes; the cache is an activation.

    ``config``, ``precision``, ``batch_size``, ``image_tiles``, ``text_tokens``, ``batch`` as for
    :func:`helpers.memory.estimate_training_memory`. The peak is in one of two moments, which are both run by transformers' own
    ``generate``: the look at pictures and prompts, and the last step, when the cache is longest. Assumed: no prompt is padded,
    none ends early, one sample a prompt, no adapter. Left out: as for a training step. ValueError as there.
    """
    rest = check_precision(precision)
    check_sizes(batch_size=batch_size, image_tiles=image_tiles, text_tokens=text_tokens, new_tokens=new_tokens)
    peaks = []
    with _without_gradient(config, precision, rest) as (model, live, fakes, by_component):

        def peak_of_last_step(more_text: int, steps: int) -> int:
            if batch is None:
                prompts = make_batch(model, rest, batch_size, image_tiles, text_tokens + more_text)
            else:
                prompts = _longer(with_fake_floats(batch, rest, fakes), more_text)
            del prompts["labels"]
            live.count_batch(prompts)
            live.restart_peak()
            sampling = GenerationConfig(do_sample=True, max_new_tokens=steps, pad_token_id=0)
            later = model.register_forward_pre_hook(lambda *_: live.restart_peak()) if steps > 1 else None
            model.generate(**prompts, generation_config=sampling)
            if later:
                later.remove()
            return live.peak

        peaks.append(peak_of_last_step(0, 1))
        if new_tokens > 1:  # the cache is as if all but the last two tokens had been part of the prompt
            peaks.append(peak_of_last_step(new_tokens - 2, 2))
    weights = sum(by_component.values())
    return MemoryBreakdown(weights=weights, activations=max(peaks) - weights, by_component=by_component)


def estimate_scoring_memory(config, batch: Mapping, *, precision: str = "bfloat16") -> MemoryBreakdown:
    """What lives at the peak while the loss of ``batch`` is computed, as a trainer's evaluation does: every token has logits.

    ``config``, ``precision``, ``batch``, what is assumed and left out: as for :func:`helpers.memory.estimate_training_memory`.
    """
    rest = check_precision(precision)
    with _without_gradient(config, precision, rest) as (model, live, fakes, by_component):
        scored = with_fake_floats(batch, rest, fakes)
        live.count_batch(scored)
        live.restart_peak()
        model(**scored, use_cache=False)
        peak = live.peak
    weights = sum(by_component.values())
    return MemoryBreakdown(weights=weights, activations=peak - weights, by_component=by_component)


@contextmanager
def _without_gradient(
    config, precision: str, rest: torch.dtype
) -> Iterator[tuple[nn.Module, LiveTensors, FakeFloats, dict[str, int]]]:
    """The model with fake weights, those who count and fake its tensors, and the weights' bytes by component."""
    model, own = typed_skeleton(load_config(config), precision, rest, lora=None)
    model.eval()
    live, fakes = LiveTensors(devices=("cpu", "meta")), FakeFloats()
    with live, fakes, torch.no_grad():
        yield model, live, fakes, give_fake_weights(model, own, rest, live)


def _longer(batch: dict, more: int) -> dict:
    """The prompts with ``more`` tokens of text at their end, which are the last one again."""
    tokens = batch["input_ids"].shape
    return {
        name: torch.cat([value, value[:, -1:].expand(-1, more)], dim=1) if getattr(value, "shape", None) == tokens else value
        for name, value in batch.items()
    }
