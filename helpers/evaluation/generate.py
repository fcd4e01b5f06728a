"""Have a model answer questions about charts: greedy, in batches, with the right chart or with another one."""

from collections.abc import Sequence

import torch
from datasets import Image
from tqdm.auto import tqdm

from helpers.data import image_key
from helpers.evaluation.served import Served
from helpers.models import SHORT_ANSWER, chat


@torch.inference_mode()
def generate_answers(
    model, processor, examples: Sequence[dict], *, system: str = SHORT_ANSWER, batch_size: int = 32, max_new_tokens: int = 16
) -> list[str]:
    """Greedy answers to rows of :func:`helpers.data.load_chartqa`, stripped, in the rows' order.

    Batches are padded on the left, where a decoder can ignore it; padded on the right, the model would have to go on
    writing after padding. The model's mode and the tokenizer's padding side are as before afterwards.
    """
    if isinstance(model, Served):  # which has a processor of its own, and no batches
        return model.answers(examples, system=system, max_new_tokens=max_new_tokens)
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
    pictures = [[row["image"]] for row in rows]
    # The template has written the special tokens: a tokenizer that adds a first one by itself would double it.
    inputs = processor(text=prompts, images=pictures, padding=True, return_tensors="pt", add_special_tokens=False)
    inputs = inputs.to(model.device, dtype=model.dtype)  # the dtype is for the pixels; token ids stay whole numbers
    written = model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
    new = written[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)]


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
