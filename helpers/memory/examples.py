"""The largest example of some rows as a processor's batch of one, and that batch several times over: what a dry run takes."""

from collections.abc import Mapping

import torch
from datasets import Dataset

from helpers.data import questions_of, stored_pictures
from helpers.models import SHORT_ANSWER, chat, count_image_tokens, settings_of


def largest_example(rows: Dataset, processor) -> dict:
    """The row with the most image tokens, and of those with the longest question: :func:`one_example` of it.

    ``rows``: of :func:`helpers.data.load_chartqa`, or pairs of :func:`helpers.data.load_preferences`, of which the question
    counts; their files say how large the pictures are, and none but the largest is opened. Where a transform makes the
    pictures, the first row stands for all. ValueError for a pair with several pictures.
    """
    if "images" in rows.column_names:
        rows = questions_of(rows)
    stored = stored_pictures(rows)
    if stored is None:
        return one_example(rows[0], processor)
    tokens = _tokens(set(stored.sizes), processor)
    lengths = [(tokens[size], len(query)) for size, query in zip(stored.sizes, stored.texts["query"], strict=True)]
    return one_example(rows[lengths.index(max(lengths))], processor)


def _tokens(sizes: set[tuple[int, int]], processor) -> dict[tuple[int, int], int]:
    try:
        settings = settings_of(processor)
    except ValueError:  # a family without a rule here: the area has to do, since looking at each size takes long
        return {(width, height): width * height for width, height in sizes}
    # A file that doesn't say its size has (0, 0).
    return {size: count_image_tokens(*size, settings).total if all(size) else 0 for size in sizes}


def one_example(row: Mapping, processor) -> dict:
    """The processor's batch of the row's question and, where it has one, its answer.

    ``row``: with ``image``, ``query`` and perhaps ``label``.
    """
    turns = chat(row["query"], SHORT_ANSWER)
    if "label" in row:
        turns.append({"role": "assistant", "content": [{"type": "text", "text": row["label"][0]}]})
    text = processor.apply_chat_template(turns)
    return dict(processor(text=[text], images=[[row["image"]]], return_tensors="pt", add_special_tokens=False))


def repeated(example: Mapping, times: int) -> dict:
    """A batch of one, ``times`` over: pictures, patches and prompts lie along the first dimension in every family."""
    return {
        name: torch.cat([value] * times) if isinstance(value, torch.Tensor) else list(value) * times
        for name, value in example.items()
    }
