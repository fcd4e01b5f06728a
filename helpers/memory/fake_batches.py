"""Batches for a dry run: a processor's own with fake floats, or the shapes that it would make of so many tiles and tokens."""

import inspect
import math
from collections.abc import Mapping
from functools import partial

import torch
from torch import nn
from torch.utils._pytree import tree_map

from helpers.memory.fake_floats import FakeFloats
from helpers.models import vision_tower

SQUARE = 448  # pixels; models that take a picture in its own size cut no tiles: a picture of so many squares is assumed


def with_fake_floats(batch: Mapping, dtype: torch.dtype, fakes: FakeFloats) -> dict:
    """A processor's own batch, with labels or without: floats become fake and of ``dtype``, whole numbers stay as they are."""

    def taken(value):
        if not isinstance(value, torch.Tensor):
            return value
        return fakes.like(value.cpu(), dtype) if value.is_floating_point() else value.cpu()

    taken_batch = {name: tree_map(taken, value) for name, value in dict(batch).items()}
    if "input_ids" not in taken_batch:
        there = ", ".join(taken_batch) or "nothing"
        raise ValueError(f"the batch has no input_ids; it has {there}: give what a processor returns")
    if taken_batch.get("labels") is None:
        taken_batch["labels"] = taken_batch["input_ids"].clone()
    return taken_batch


def make_batch(model: nn.Module, dtype: torch.dtype, batch_size: int, image_tiles: int, text_tokens: int) -> dict:
    """A batch of examples as long as each other, from the model's config: image tokens, then text tokens, all trained on.

    What pictures look like is read from what the model's forward pass takes; how many tokens a picture has, from what its
    vision tower and connector make of it. ValueError names ``batch=`` where that isn't enough.
    """
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    config, takes = whole.config, _arguments(whole)
    advice = f"no batch can be made up for {config.model_type}: give batch=, what its processor returns for your examples"
    image_token = getattr(config, "image_token_id", None)
    if image_token is None or not hasattr(whole, "get_image_features"):
        raise ValueError(advice)
    try:
        known = takes | set(config.to_dict()) | {f"tower's {name}" for name in _arguments(vision_tower(whole))}
        make = next(make for needed, make in _PICTURES if needed <= known)
        pictures = make(config, config.vision_config, batch_size, image_tiles, partial(torch.empty, dtype=dtype))
        with torch.no_grad():
            looked = whole.get_image_features(**pictures)
        features = getattr(looked, "pooler_output", looked)
        features = features if isinstance(features, torch.Tensor) else torch.cat([part.flatten(0, -2) for part in features])
    except _NoTiles as error:
        raise ValueError(f"{error}; {advice}") from error
    except (AttributeError, IndexError, KeyError, RuntimeError, StopIteration, TypeError, ValueError) as error:
        raise ValueError(f"{advice} ({type(error).__name__}: {error})") from error
    tokens = features.numel() // features.shape[-1] // batch_size
    return pictures | _tokens(batch_size, image_token, tokens, text_tokens, takes)


def _arguments(module: nn.Module) -> set[str]:
    return set(inspect.signature(module.forward).parameters)


class _NoTiles(ValueError):
    """The family cuts no picture into so many tiles."""


def _side(vision) -> int:
    side = vision.image_size
    return side if isinstance(side, int) else side[0]


def _channels(vision) -> int:
    return next(getattr(vision, name) for name in ("num_channels", "in_channels", "in_chans") if hasattr(vision, name))


def _in_patches(config, vision, batch_size, image_tiles, empty) -> dict:
    """Qwen, GLM-4V: (patches of all pictures, values of a patch), and each picture's grid of patches."""
    merge = vision.spatial_merge_size
    side = SQUARE // (vision.patch_size * merge) * merge  # patches
    values = _channels(vision) * vision.temporal_patch_size * vision.patch_size**2
    return {
        "pixel_values": empty(batch_size * image_tiles * side * side, values),
        "image_grid_thw": torch.tensor([[1, side, side * image_tiles]] * batch_size),
    }


def _in_tiles_of_patches(config, vision, batch_size, image_tiles, empty) -> dict:
    """LFM2-VL: (tiles of all pictures, patches, values of a patch), which patches are there, and each tile's grid."""
    side, tiles = math.isqrt(vision.num_patches), batch_size * image_tiles
    return {
        "pixel_values": empty(tiles, side * side, _channels(vision) * vision.patch_size**2),
        "spatial_shapes": torch.tensor([[side, side]] * tiles),
        "pixel_attention_mask": torch.ones(tiles, side * side, dtype=torch.int64),
    }


def _any_resolution(config, vision, batch_size, image_tiles, empty) -> dict:
    """LLaVA-NeXT, LLaVA-OneVision: the whole picture small, then its tiles: (pictures, tiles, channels, height, width)."""
    side = _side(vision)
    if image_tiles < 2:
        raise _NoTiles(f"{config.model_type} sees every picture whole and in tiles: image_tiles is at least 2")
    config.image_grid_pinpoints = [[side, side * (image_tiles - 1)]]
    return {
        "pixel_values": empty(batch_size, image_tiles, _channels(vision), side, side),
        "image_sizes": torch.tensor([[side, side * (image_tiles - 1)]] * batch_size),
    }


def _own_size(config, vision, batch_size, image_tiles, empty) -> dict:
    """Pixtral, Mistral 3: (pictures, channels, height, width), each of its own size."""
    step = vision.patch_size * getattr(config, "spatial_merge_size", 1)
    side = SQUARE // step * step
    return {
        "pixel_values": empty(batch_size, _channels(vision), side, side * image_tiles),
        "image_sizes": torch.tensor([[side, side * image_tiles]] * batch_size),
    }


def _by_example(config, vision, batch_size, image_tiles, empty) -> dict:
    """SmolVLM, Idefics: (examples, tiles, channels, height, width), and a mask of pixels, of which none is padding."""
    side = _side(vision)
    return {
        "pixel_values": empty(batch_size, image_tiles, _channels(vision), side, side),
        "pixel_attention_mask": torch.ones(batch_size, image_tiles, side, side, dtype=torch.int64),
    }


def _squares(config, vision, batch_size, image_tiles, empty) -> dict:
    """LLaVA, Gemma 3, PaliGemma, InternVL: (tiles of all pictures, channels, height, width)."""
    side = _side(vision)
    return {"pixel_values": empty(batch_size * image_tiles, _channels(vision), side, side)}


# What the forward pass takes or the config says, and the pictures that go with it; the first that is there decides.
_PICTURES = (
    ({"image_grid_thw"}, _in_patches),
    ({"spatial_shapes"}, _in_tiles_of_patches),
    ({"image_sizes", "image_grid_pinpoints"}, _any_resolution),
    ({"tower's image_sizes"}, _own_size),
    ({"pixel_values", "pixel_attention_mask"}, _by_example),
    ({"pixel_values"}, _squares),
)


def _tokens(batch_size: int, image_token: int, image_tokens: int, text_tokens: int, takes: set[str]) -> dict[str, torch.Tensor]:
    ids = torch.full((batch_size, image_tokens + text_tokens), int(image_token == 0), dtype=torch.int64)
    ids[:, :image_tokens] = image_token
    seen = ids == image_token
    kinds = {name: seen.long() for name in ("token_type_ids", "mm_token_type_ids") if name in takes}
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids.masked_fill(seen, -100), **kinds}
