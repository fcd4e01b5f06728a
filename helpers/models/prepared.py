"""Every picture of a batch made ready once, however many answers are asked of it."""

import copy
from collections.abc import Sequence

import torch
from PIL import Image
from transformers import BatchFeature

from helpers.data import pixels_key
from helpers.models.features import by_picture


def prepare_once(processor):
    """A processor that cuts and scales each distinct picture of a batch once, and not again if the same batch comes next.

    GRPO shows a picture once for every answer of a group, and the whole batch twice: for the sampling and for the loss. What
    comes out is what ``processor`` makes, and what is saved is ``processor``.
    """
    made = copy.copy(processor)
    made.image_processor = PreparedOnce(processor.image_processor)
    return made


class PreparedOnce:
    """An image processor in front of another one; it remembers the last batch."""

    def __init__(self, processor):
        self.processor, self.last, self.made = processor, None, None

    def __call__(self, images, *args, **settings) -> BatchFeature:
        pictures = [_only(unit) for unit in images] if isinstance(images, Sequence) else [None]
        if None in pictures:  # several pictures in a question, or none that can be compared
            return self.processor(images, *args, **settings)
        keys = [pixels_key(picture) for picture in pictures]
        distinct = list(dict.fromkeys(keys))
        asked = distinct, repr((args, settings))
        if asked != self.last:
            self.last, self.made = asked, self.processor([images[keys.index(key)] for key in distinct], *args, **settings)
        repeated = _repeated(self.made, [distinct.index(key) for key in keys], len(distinct))
        return repeated or self.processor(images, *args, **settings)

    def __getattr__(self, name: str):
        return getattr(self.processor, name)

    def __deepcopy__(self, memo):
        return copy.deepcopy(self.processor, memo)  # a trainer saves what it was given: this is nothing to save


def _only(unit) -> Image.Image | None:
    if isinstance(unit, list | tuple) and len(unit) == 1:
        unit = unit[0]
    return unit if isinstance(unit, Image.Image) else None


def _repeated(made: BatchFeature, order: list[int], count: int) -> BatchFeature | None:
    """What was made of ``count`` pictures, in that order; None where it can't be told which part belongs to which."""
    parts, grid = dict(made), made.get("image_grid_thw")
    if grid is not None:
        parts["pixel_values"] = by_picture(parts["pixel_values"], grid)
    if any(len(value) != count for value in parts.values()):
        return None
    picked = {name: value[order] if torch.is_tensor(value) else [value[at] for at in order] for name, value in parts.items()}
    if grid is not None:
        picked["pixel_values"] = torch.cat(picked["pixel_values"])
    return BatchFeature(picked)
