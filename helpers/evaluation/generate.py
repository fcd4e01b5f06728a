"""Have a model answer questions about charts: greedy, in batches, with the right chart or with another one."""

from collections.abc import Iterator, Sequence

import torch
from datasets import Image
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from helpers.data import image_key
from helpers.evaluation.asked import Asked
from helpers.evaluation.features import KeptFeatures, look, takes_features
from helpers.evaluation.ready import Ready, ReadyPictures, in_batches, padded
from helpers.evaluation.served import Served
from helpers.models import SHORT_ANSWER, chat, moved, spare_workers, together


@torch.inference_mode()
def generate_answers(
    model,
    processor,
    examples: Sequence[dict],
    *,
    system: str | None = SHORT_ANSWER,
    batch_size: int = 32,
    max_new_tokens: int = 16,
    kept: KeptFeatures | None = None,
) -> list[str]:
    """Greedy answers to rows of :func:`helpers.data.load_chartqa`, stripped, in the rows' order.

    The vision tower looks at each distinct picture once, however many questions ask about it, and prompts of similar length
    are answered together; on a GPU, other processes prepare the next pictures meanwhile. ``kept``: features of earlier calls
    about the same pictures, by a model with the same eyes. In float32 the answers are those of one question at a time; in
    16 and 4 bit, where another batch rounds differently, a tie may fall the other way. The model's mode and the tokenizer's
    padding side are as before afterwards. ValueError for a batch of none.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: at least one question is answered at once")
    if isinstance(model, Served):  # which has a processor of its own, and no batches
        return model.answers(examples, system=system, max_new_tokens=max_new_tokens)
    was_training = model.training
    model.eval()
    asked, answers = Asked.of(examples), [""] * len(examples)
    answering = _with_features if takes_features(model) else _with_pixels
    try:
        with tqdm(total=len(answers), desc="answering", unit="question", delay=5) as bar:
            for rows, written in answering(model, processor, asked, system, batch_size, max_new_tokens, kept):
                texts = processor.batch_decode(written, skip_special_tokens=True)
                for row, text in zip(rows, texts, strict=True):
                    answers[row] = text.strip()
                bar.update(len(rows))
    finally:
        model.train(was_training)
    return answers


Written = Iterator[tuple[list[int], torch.Tensor]]  # rows, and the new tokens of each


def _with_features(
    model, processor, asked: Asked, system: str | None, batch_size: int, new: int, kept: KeptFeatures | None
) -> Written:
    known = kept.of(model, processor) if kept is not None else {}
    accounts = {key: known[key][0] for key in set(asked.keys) & known.keys()}
    pictures = ReadyPictures(asked, processor, system, model.dtype, accounts)
    for batch in in_batches(_load(pictures, model.device), batch_size):
        shown = {ready.key: ready for ready, _ in batch}
        for ready in shown.values():
            if ready.features is None and ready.key in accounts:
                ready.features = moved(known[ready.key][1], model.device)
        _look_at(model, [ready for ready in shown.values() if ready.features is None], kept)
        tokens = padded([ready.prompts[n] for ready, n in batch], processor.tokenizer.pad_token_id)
        # Some models place their tokens by the picture's grid, and ask for it beside the features.
        others = [{name: value for name, value in ready.inputs.items() if not name.startswith("pixel")} for ready, _ in batch]
        grids = {name: torch.cat([each[name] for each in others]) for name in others[0]}
        inputs = moved(tokens | grids, model.device)
        seen = {"image": together([ready.features for ready, _ in batch])}
        written = model.generate(**inputs, mm_encoder_outputs=seen, do_sample=False, max_new_tokens=new)
        yield [ready.rows[n] for ready, n in batch], written[:, inputs["input_ids"].shape[1] :]


def _load(pictures: ReadyPictures, device: torch.device) -> DataLoader:
    workers = spare_workers(device.type)
    # Forked, and started for this call alone: they touch neither the model nor the GPU.
    how = {"multiprocessing_context": "fork", "prefetch_factor": 4} if workers else {}
    return DataLoader(pictures, batch_size=None, num_workers=workers, **how)


def _look_at(model, pictures: list[Ready], kept: KeptFeatures | None) -> None:
    if pictures:
        found = look(model, [moved(ready.inputs, model.device) for ready in pictures])
        for ready, features in zip(pictures, found, strict=True):
            ready.features = features
            if kept is not None:
                kept.keep(ready.key, ready.account, features)


def _with_pixels(model, processor, asked: Asked, system: str | None, batch_size: int, new: int, _) -> Written:
    """For models of older design, whose ``generate`` takes no features: pixels with every question."""
    rows = [row for group in asked.by_picture() for row in group]
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        prompts = [chat(asked.questions[row], system) for row in batch]
        texts = [processor.apply_chat_template(prompt, add_generation_prompt=True) for prompt in prompts]
        pictures = [[asked.picture(row)] for row in batch]
        inputs = processor(
            text=texts, images=pictures, padding=True, padding_side="left", return_tensors="pt", add_special_tokens=False
        )
        inputs = inputs.to(model.device, dtype=model.dtype)  # the dtype is for the pixels; token ids stay whole numbers
        written = model.generate(**inputs, do_sample=False, max_new_tokens=new)
        yield batch, written[:, inputs["input_ids"].shape[1] :]


class WithOtherCharts(Sequence):
    """The same questions, each with the chart of another question: what a model scores without looking."""

    def __init__(self, rows):
        raw = rows.with_format(None).cast_column("image", Image(decode=False))
        keys = [image_key(row["image"]) for row in raw]
        if len(set(keys)) < 2:
            raise ValueError("all questions are about one chart: there is no other chart to show")
        self.rows = rows
        self.other = []
        for at, key in enumerate(keys):
            other = (at + len(keys) // 2) % len(keys)
            while keys[other] == key:
                other = (other + 1) % len(keys)
            self.other.append(other)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> dict:
        return {**self.rows[at], "image": self.rows[self.other[at]]["image"]}

    def asked(self) -> Asked:
        rows = Asked.of(self.rows)
        return Asked(rows.questions, [rows.keys[at] for at in self.other], self.picture, [rows.sizes[at] for at in self.other])

    def picture(self, at: int):
        return self.rows[self.other[at]]["image"]
