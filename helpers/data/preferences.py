"""Open preference pairs from anywhere, in the one form that TRL's ``DPOTrainer`` takes for pictures.

Public collections write the same thing in different ways: messages of parts or of plain text, one picture or a list.
"""

from pathlib import Path

import numpy as np
import pyarrow
from datasets import Dataset, DatasetInfo, Features, Image, List, Value, concatenate_datasets
from datasets.table import InMemoryTable

from helpers.data.rows import Layout, check_choices, image_problem, open_rows, require_columns, select_good, to_rgb
from helpers.models import SHORT_ANSWER
from helpers.paths import EMBEDDED_PREFERENCES

_MESSAGES = List({"role": Value("string"), "content": Value("string")})
# What a judge needs to know of the chart (helpers.evaluation.judge); only the embedded pairs carry it.
TRUTH = {
    "entity": Value("string"), "value": Value("float64"), "unit": Value("string"), "rejected_kind": Value("string")
}  # fmt: skip
FEATURES = Features({"images": List(Image()), "prompt": _MESSAGES, "chosen": _MESSAGES, "rejected": _MESSAGES, **TRUTH})


def load_preferences(
    source: str | Path, split: str, limit: int | None = None, on_error: str = "raise", seed: int = 0
) -> Dataset:
    """Rows with TRL's columns ``images, prompt, chosen, rejected``; the pictures become RGB when a row is used.

    ``images``: a list, mostly of one. The others are lists of messages, ``{"role", "content"}``, the content plain text:
    TRL itself puts the pictures' placeholders before the first user turn. The embedded pairs also have the truth:
    ``entity, value`` (None where the chart lacks it) ``, unit, rejected_kind``.

    ``source``: ``"embedded"``; a hub id, ``owner/name`` or ``owner/name@revision``; a folder or glob of parquet files with
    the split in their names; one parquet file. Their columns are those above (as in HuggingFaceH4/rlaif-v_formatted) or
    ``image, question, chosen, rejected`` (as in openbmb/RLAIF-V-Dataset). A split that the source lacks is a tenth of
    train's images, which ``"train"`` then leaves out.
    ``limit``: that many rows, drawn with ``seed``. ``on_error``: ``"raise"`` a ``BadRowError`` at the first bad row, or
    ``"skip"`` and print which were dropped.
    """
    check_choices(split, on_error)
    rows, numbers = open_rows(str(source), split, seed, _LAYOUT)
    good = select_good(rows, numbers, _problem, str(source), split, limit, on_error, seed)
    return good.cast_column("images", List(Image())).with_transform(_rows_to_rgb)


def _rows_to_rgb(batch: dict) -> dict:
    if "images" not in batch:
        return batch
    return {**batch, "images": [[to_rgb(image) for image in images] for images in batch["images"]]}


def with_practice(pairs: Dataset, questions: Dataset) -> Dataset:
    """``pairs``, and after them ChartQA rows as pairs: what training on preferences doesn't practise, it overwrites.

    ``questions``: rows of :func:`helpers.data.load_chartqa`. Asked for a word or number, the label is chosen, and the same in a
    sentence rejected.
    """
    columns = ["images", "prompt", "chosen", "rejected"]
    pairs = pairs.with_format(None).select_columns(columns).cast_column("images", List(Image(decode=False)))
    questions = questions.with_format(None).cast_column("image", Image(decode=False))
    practice = {"images": [[image] for image in questions["image"]]}
    practice["prompt"] = [
        [{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": query}] for query in questions["query"]
    ]
    labels = [label[0] for label in questions["label"]]
    practice["chosen"] = [[{"role": "assistant", "content": label}] for label in labels]
    practice["rejected"] = [[{"role": "assistant", "content": f"The answer is {label}."}] for label in labels]
    both = concatenate_datasets([pairs, Dataset.from_dict(practice, features=pairs.features)])
    return both.cast_column("images", List(Image())).with_transform(_rows_to_rgb)


def questions_of(pairs: Dataset) -> Dataset:
    """Pairs as rows for :func:`helpers.evaluation.generate_answers`: ``image``, the first one, and ``query``, the last turn."""

    def asked(batch: dict) -> dict:
        queries = [prompt[-1]["content"] for prompt in batch["prompt"]]
        return {"image": [to_rgb(images[0]) for images in batch["images"]], "query": queries}

    return pairs.with_transform(asked)


def _problem(row: dict) -> str | None:
    """What is wrong with a row, in words, or None."""
    if not any(message["role"] == "user" and message["content"].strip() for message in row["prompt"]):
        return "the question is empty"
    sides = {side: " ".join(message["content"] for message in row[side]).strip() for side in ("chosen", "rejected")}
    for side, text in sides.items():
        if not text:
            return f"the {side} answer is empty"
    if sides["chosen"] == sides["rejected"]:
        return "the chosen and the rejected answer are the same: there is nothing to prefer"
    return next(filter(None, map(image_problem, row["images"] or [None])), None)


def _with_trl_columns(rows: Dataset, source: str) -> Dataset:
    question = "prompt" if "prompt" in rows.column_names else "question"
    pictures = "images" if "images" in rows.column_names else "image"
    require_columns(rows, (pictures, question, "chosen", "rejected"), source)
    truth = [column for column in TRUTH if column in rows.column_names]
    texts = rows.select_columns([question, "chosen", "rejected", *truth])
    messages = {
        "prompt": [_messages(value, "user") for value in texts[question]],
        "chosen": [_messages(value, "assistant") for value in texts["chosen"]],
        "rejected": [_messages(value, "assistant") for value in texts["rejected"]],
    }
    messages |= {column: list(texts[column]) for column in truth}
    features = Features({column: FEATURES[column] for column in messages})
    images = rows.select_columns([pictures]) if pictures == "images" else _as_lists(rows.select_columns(["image"]))
    images = images.cast_column("images", List(Image(decode=False)))
    return concatenate_datasets([images, Dataset.from_dict(messages, features=features)], axis=1)


_ADVICE = "Name the files train.parquet, test.parquet, or give one parquet file: it is split by image."
_LAYOUT = Layout(EMBEDDED_PREFERENCES, "images", _with_trl_columns, _ADVICE, carved=("test", "val"))


def _messages(value: str | list[dict] | None, role: str) -> list[dict]:
    """A text, or messages whose content is a text or a list of parts, as messages of plain text."""
    if value is None or isinstance(value, str):
        return [{"role": role, "content": value or ""}]
    return [{"role": message["role"], "content": _text(message["content"])} for message in value]


def _text(content: str | list[dict] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] for part in content if part["type"] == "text" and part["text"])


def _as_lists(rows: Dataset) -> Dataset:
    """The column ``image`` as ``images``, lists of one, without copying the pictures."""
    undecoded = rows.cast_column("image", Image(decode=False)).with_format("arrow")
    chunks = undecoded.data.column("image").chunks
    lists = [pyarrow.ListArray.from_arrays(np.arange(len(chunk) + 1, dtype=np.int32), chunk) for chunk in chunks]
    table = pyarrow.table({"images": pyarrow.chunked_array(lists)})
    return Dataset(InMemoryTable(table), info=DatasetInfo(features=Features(images=List(Image(decode=False)))))
