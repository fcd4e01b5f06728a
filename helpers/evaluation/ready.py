"""Prompts and pictures made ready for a model, one distinct picture at a time: what a DataLoader does beside the answering."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from PIL import Image
from torch.utils.data import Dataset
from transformers import BatchFeature

from helpers.evaluation.asked import Asked
from helpers.models import chat


@dataclass
class Ready:
    """One picture and all that is asked about it. ``prompts``: for each of ``rows``, its tensors of one number a token.

    ``inputs``: what else the model is given; ``account``: what the image processor said of the picture, without its pixels.
    ``features``: of the vision tower, once it has looked.
    """

    key: str
    rows: list[int]
    prompts: list[dict[str, torch.Tensor]]
    inputs: dict[str, torch.Tensor]
    account: dict
    features: dict | None = None


class ReadyPictures(Dataset):
    """The distinct pictures of ``asked``, each processed once. ``known``: accounts of those that needn't be opened again."""

    def __init__(self, asked: Asked, processor, system: str | None, dtype: torch.dtype, known: dict[str, dict]):
        self.asked, self.groups, self.processor = asked, asked.by_picture(), processor
        self.system, self.dtype, self.known = system, dtype, known

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, n: int) -> Ready:
        rows = self.groups[n]
        key = self.asked.keys[rows[0]]
        picture = Image.new("RGB", (1, 1)) if key in self.known else self.asked.picture(rows[0])
        processor = copy.copy(self.processor)
        processor.image_processor = once = _Once(self.processor.image_processor, self.known.get(key))
        prompts, inputs = [], {}
        for at in rows:
            text = processor.apply_chat_template(chat(self.asked.questions[at], self.system), add_generation_prompt=True)
            # The template has written the special tokens: a tokenizer that adds a first one by itself would double it.
            made = processor(text=[text], images=[[picture]], return_tensors="pt", add_special_tokens=False)
            tokens = made["input_ids"].shape
            prompts.append({name: value[0] for name, value in made.items() if value.shape == tokens})
            inputs = {name: value for name, value in made.items() if value.shape != tokens}
        # In the model's type: in 16 bit half as much has to be brought over from another process.
        inputs = {name: value.to(self.dtype) if value.is_floating_point() else value for name, value in inputs.items()}
        return Ready(key, rows, prompts, inputs, once.account())


class _Once:
    """An image processor that looks at the picture once, and says the same for every question about it."""

    def __init__(self, processor, account: dict | None):
        self.processor, self.said = processor, account

    def __call__(self, images, **settings) -> BatchFeature:
        if self.said is None:
            self.said = dict(self.processor(images, **settings))
        return BatchFeature(dict(self.said))

    def __getattr__(self, name: str):
        return getattr(self.processor, name)

    def account(self) -> dict:
        """What it said, with the shapes of the pixels and not their values: prompts are written from it."""
        return {name: _hollow(name, value) for name, value in self.said.items()}


def _hollow(name: str, value):
    # The mask of the pixels too: eight bytes for each of them.
    if isinstance(value, torch.Tensor) and (value.is_floating_point() or name.startswith("pixel")):
        return value.new_zeros(()).expand(value.shape)
    return value


def in_batches(pictures: Iterable[Ready], size: int) -> Iterator[list[tuple[Ready, int]]]:
    """``size`` questions at a time, picture after picture: (picture, which of its questions)."""
    batch: list[tuple[Ready, int]] = []
    for ready in pictures:
        for n in range(len(ready.rows)):
            batch.append((ready, n))
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def padded(prompts: list[dict[str, torch.Tensor]], padding: int) -> dict[str, torch.Tensor]:
    """Prompts of several lengths as one batch, filled up on the left, where a decoder can ignore it: padded on the right, the
    model would have to go on writing after padding. ``padding``: the token to fill up with."""
    longest = max(len(prompt["input_ids"]) for prompt in prompts)

    def row(name: str, values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(values, (longest - len(values), 0), value=padding if name == "input_ids" else 0)

    return {name: torch.stack([row(name, prompt[name]) for prompt in prompts]) for name in prompts[0]}
