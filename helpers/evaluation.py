"""Ask a model about charts and score its answers: ChartQA's relaxed accuracy, with its published semantics."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from datasets import Image
from tqdm.auto import tqdm

from helpers.prompts import SHORT_ANSWER, chat


def relaxed_match(prediction: str, target: str | list[str]) -> bool:
    """Numbers within 5 % of the target, all else equal but for case; a list target matches if any element does.

    The semantics of pix2struct's ``relaxed_correctness`` (ChartQA paper, section 5.1), which lmms-eval uses too:
    nothing is stripped, "38%" is 0.38, a target of zero is compared as text, years are ordinary numbers.
    """
    if not isinstance(target, str):
        return any(relaxed_match(prediction, element) for element in target)
    predicted, true = _to_float(prediction), _to_float(target)
    if predicted is not None and true:
        return abs(predicted - true) / abs(true) <= 0.05
    return prediction.lower() == target.lower()


def relaxed_accuracy(predictions: Sequence[str], targets: Sequence[str | list[str]]) -> float:
    """Share of :func:`relaxed_match`, 0..1. ValueError if there is nothing to score or the lengths differ."""
    if len(predictions) != len(targets) or not len(targets):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} targets: need as many, and at least one")
    return float(np.mean([relaxed_match(p, t) for p, t in zip(predictions, targets, strict=True)]))


def _to_float(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def bootstrap_interval(scores: Sequence[float], seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of ``scores`` over 2,000 redraws of the questions with replacement (percentile bootstrap)."""
    scores = np.asarray(scores, dtype=float)
    draws = np.random.default_rng(seed).integers(len(scores), size=(2000, len(scores)))
    low, high = np.quantile(scores[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@torch.inference_mode()
def generate_answers(
    model, processor, examples: Sequence[dict], *, system: str = SHORT_ANSWER, batch_size: int = 32, max_new_tokens: int = 16
) -> list[str]:
    """Greedy answers to rows of :func:`helpers.data.load_chartqa`, stripped, in the rows' order.

    Batches are padded on the left, where a decoder can ignore it; padded on the right, the model would have to go on
    writing after padding. The model's mode and the tokenizer's padding side are as before afterwards.
    """
    was_training, side = model.training, processor.tokenizer.padding_side
    model.eval()
    processor.tokenizer.padding_side = "left"
    answers = []
    try:
        with tqdm(total=len(examples), desc="answering", unit="question", delay=5) as bar:
            for start in range(0, len(examples), batch_size):
                rows = [examples[at] for at in range(start, min(start + batch_size, len(examples)))]
                answers += _generate(model, processor, rows, system, max_new_tokens)
                bar.update(len(rows))
    finally:
        processor.tokenizer.padding_side = side
        model.train(was_training)
    return answers


def _generate(model, processor, rows: list[dict], system: str, max_new_tokens: int) -> list[str]:
    prompts = [processor.apply_chat_template(chat(row["query"], system), add_generation_prompt=True) for row in rows]
    inputs = processor(text=prompts, images=[[row["image"]] for row in rows], padding=True, return_tensors="pt")
    inputs = inputs.to(model.device, dtype=model.dtype)  # the dtype is for the pixels; token ids stay whole numbers
    written = model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
    new = written[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)]


class WithOtherCharts(Sequence):
    """The same questions, each with the chart of another question: what a model scores without looking."""

    def __init__(self, rows):
        raw = rows.with_format(None).cast_column("image", Image(decode=False))
        keys = [hashlib.sha256(row["image"]["bytes"] or row["image"]["path"].encode()).digest() for row in raw]
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
