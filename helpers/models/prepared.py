"""Every picture made ready once, however often a training asks for it."""

import copy
from collections.abc import Sequence

import torch
from PIL import Image
from transformers import BatchFeature

from helpers.data import pixels_key
from helpers.models.features import bytes_of

_ROOM = 5e8  # bytes of prepared pictures; each process that loads data has its own


def prepare_once(processor):
    """A processor that cuts and scales a picture once for each way it is asked to.

    It does so again only when half a gigabyte of others has come between. A training shows a picture with each of its
    questions, in every epoch; GRPO for every answer of a group as well, in two ways: for the sampling and for the loss. What
    comes out is what ``processor`` makes, and what is saved is ``processor``. Where it pads the pictures of a batch to each
    other, only the last batch is remembered. Each process that loads data remembers for itself.
    """
    made = copy.copy(processor)
    made.image_processor = PreparedOnce(processor.image_processor)
    return made


class PreparedOnce:
    """An image processor in front of another one; it remembers what it made of each picture."""

    def __init__(self, processor):
        self.processor, self.room = processor, _ROOM
        self.kept, self.held, self.one_by_one = {}, 0, True
        self.last, self.made = None, None

    def __call__(self, images, *args, **settings) -> BatchFeature:
        pictures = [_only(unit) for unit in images] if isinstance(images, Sequence) else [None]
        if not pictures or None in pictures:  # several pictures in a question, or none that can be compared
            return self.processor(images, *args, **settings)
        keys, asked = [pixels_key(picture) for picture in pictures], repr((args, settings))
        if self.one_by_one and all(isinstance(unit, list | tuple) for unit in images):  # else they may be one question's, all
            batch = _side_by_side(
                [self._own(image, (key, asked), args, settings) for image, key in zip(images, keys, strict=True)]
            )
            if batch is not None:
                return batch
            self.kept, self.held, self.one_by_one = {}, 0, False  # padded to each other: a batch can only be made as a whole
        distinct = list(dict.fromkeys(keys))
        if (distinct, asked) != self.last:
            self.last = distinct, asked
            self.made = self.processor([images[keys.index(key)] for key in distinct], *args, **settings)
        repeated = _repeated(self.made, [distinct.index(key) for key in keys], len(distinct))
        return repeated or self.processor(images, *args, **settings)

    def _own(self, image, key, args, settings) -> BatchFeature:
        """What is made of this picture alone."""
        if key in self.kept:
            return self.kept[key]
        made = self.kept[key] = self.processor([image], *args, **settings)
        self.held += bytes_of(dict(made))
        while len(self.kept) > 1 and self.held > self.room:
            self.held -= bytes_of(dict(self.kept.pop(next(iter(self.kept)))))  # the oldest
        return made

    def __getattr__(self, name: str):
        return getattr(self.processor, name)

    def __deepcopy__(self, memo):
        return copy.deepcopy(self.processor, memo)  # a trainer saves what it was given: this is nothing to save

    def __reduce__(self):
        return PreparedOnce, (self.processor,)  # a process that is spawned to load data has an empty memory


def _only(unit) -> Image.Image | None:
    if isinstance(unit, list | tuple) and len(unit) == 1:
        unit = unit[0]
    comparable = isinstance(unit, Image.Image) and unit.mode in ("RGB", "L")  # with a palette the same bytes are other colours
    return unit if comparable else None


def _side_by_side(each: list[BatchFeature]) -> BatchFeature | None:
    """The batch of pictures that were made ready one by one; None where one of them would have to be padded."""
    batch = {}
    for name in each[0]:
        values = [made[name] for made in each]
        if all(map(torch.is_tensor, values)) and len({value.shape[1:] for value in values}) == 1:
            batch[name] = torch.cat(values)
        elif all(isinstance(value, list) for value in values):
            batch[name] = [part for value in values for part in value]
            if len({part.shape for part in batch[name] if hasattr(part, "shape")}) > 1:
                return None
        else:
            return None
    return BatchFeature(batch)


def _repeated(made: BatchFeature, order: list[int], count: int) -> BatchFeature | None:
    """What was made of ``count`` pictures, in that order; None where it can't be told which part belongs to which."""
    if any(len(value) != count for value in made.values()):
        return None
    picked = {name: value[order] if torch.is_tensor(value) else [value[at] for at in order] for name, value in made.items()}
    return BatchFeature(picked)
