"""Dry run of ``generate``: the peak while a model answers, with its cache of keys and values, on tensors without numbers."""

import torch
from transformers import GenerationConfig

from helpers.memory.dry_run import check_sizes
from helpers.memory.fake_batches import make_batch
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
) -> MemoryBreakdown:
    """What lives at the peak while ``generate`` samples ``new_tokens`` for each prompt, in bytes; the cache is an activation.

    ``config``, ``precision``, ``batch_size``, ``image_tiles``, ``text_tokens`` as for
    :func:`helpers.memory.estimate_training_memory`. The peak is in one of two moments, which are both run by transformers' own
    ``generate``: the look at pictures and prompts, and the last step, when the cache is longest. Assumed: no prompt is padded,
    none ends early, one sample a prompt, no adapter. Left out: as for a training step. ValueError as there.
    """
    rest = check_precision(precision)
    check_sizes(batch_size=batch_size, image_tiles=image_tiles, text_tokens=text_tokens, new_tokens=new_tokens)
    model, own = typed_skeleton(load_config(config), precision, rest, lora=None)
    model.eval()
    live, peaks = LiveTensors(devices=("cpu", "meta")), []
    with live, FakeFloats(), torch.no_grad():
        by_component = give_fake_weights(model, own, rest, live)

        def peak_of_last_step(text: int, steps: int) -> int:
            batch = make_batch(model, rest, batch_size, image_tiles, text)
            del batch["labels"]
            live.restart_peak()
            sampling = GenerationConfig(do_sample=True, max_new_tokens=steps, pad_token_id=0)
            later = model.register_forward_pre_hook(lambda *_: live.restart_peak()) if steps > 1 else None
            model.generate(**batch, generation_config=sampling)
            if later:
                later.remove()
            return live.peak

        peaks.append(peak_of_last_step(text_tokens, 1))
        if new_tokens > 1:  # the cache is as if all but the last two tokens had been part of the prompt
            peaks.append(peak_of_last_step(text_tokens + new_tokens - 2, 2))
    weights = sum(by_component.values())
    return MemoryBreakdown(weights=weights, activations=max(peaks) - weights, by_component=by_component)
