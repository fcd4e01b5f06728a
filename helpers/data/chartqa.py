"""Open ChartQA-like data from anywhere: rows stay on disk until they are used, and bad rows are named, not met in training."""

import csv
from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Image, List, Value

from helpers.data.preferences import load_preferences, questions_of, with_practice
from helpers.data.rows import (
    SPLITS,
    BadRowError,
    Layout,
    check_choices,
    has_text,
    image_problem,
    open_rows,
    require_columns,
    select_good,
    split_by_image,
    to_rgb,
)
from helpers.paths import EMBEDDED_CHARTQA, resolve

__all__ = [
    "COLUMNS",
    "FEATURES",
    "SPLITS",
    "BadRowError",
    "load_chartqa",
    "load_preferences",
    "questions_of",
    "to_rgb",
    "with_practice",
]

FEATURES = Features(  # of HuggingFaceM4/ChartQA
    image=Image(), query=Value("string"), label=List(Value("string")), human_or_machine=ClassLabel(names=["human", "machine"])
)
COLUMNS = tuple(FEATURES)


def load_chartqa(source: str | Path, split: str, limit: int | None = None, on_error: str = "raise", seed: int = 0) -> Dataset:
    """Rows with the hub's columns ``image, query, label, human_or_machine``; each image becomes RGB when it is used.

    ``source``: ``"embedded"`` (ChartQA-mini); a hub id, ``owner/name`` or ``owner/name@revision``; a folder with
    ``questions.csv`` (columns ``image,question,answer``) or one parquet file, both split 80/10/10 by image; a folder or
    glob of parquet files with the split in their names. ``limit``: that many rows, drawn with ``seed``.
    ``on_error``: ``"raise"`` a :class:`BadRowError` at the first bad row, or ``"skip"`` and print which were dropped.
    """
    check_choices(split, on_error)
    folder = resolve(source)
    if (folder / "questions.csv").exists():
        rows, numbers = split_by_image(_questions_csv(folder), split, seed, str(source), "image")
    else:
        rows, numbers = open_rows(str(source), split, seed, _LAYOUT)
    good = select_good(rows, numbers, _problem, str(source), split, limit, on_error, seed)
    return good.cast_column("image", Image()).with_transform(_rows_to_rgb)


def _rows_to_rgb(batch: dict) -> dict:
    return {**batch, "image": [to_rgb(image) for image in batch["image"]]} if "image" in batch else batch


def _problem(row: dict) -> str | None:
    """What is wrong with a row, in words, or None."""
    if not has_text(row["query"]):
        return "the question is empty"
    label = row["label"]
    if not (isinstance(label, list) and len(label) == 1 and has_text(label[0])):
        hint = " (a text with a comma needs quotes in questions.csv)" if isinstance(label, list) and len(label) > 1 else ""
        return f"the label is {label!r}, not a list of one non-empty string{hint}"
    return image_problem(row["image"])


def _with_hub_columns(rows: Dataset, source: str) -> Dataset:
    require_columns(rows, COLUMNS, source)
    return rows.select_columns(list(COLUMNS)).cast_column("image", Image(decode=False))


_ADVICE = "Pictures of your own go with a questions.csv: see 'Your own images' in the README."
_LAYOUT = Layout(EMBEDDED_CHARTQA, "image", _with_hub_columns, _ADVICE)


def _questions_csv(folder: Path) -> Dataset:
    try:
        lines = _lines(folder)
    except UnicodeDecodeError as error:
        raise ValueError(f"{folder / 'questions.csv'} is not UTF-8 ({error}). Save it as 'CSV UTF-8'.") from error
    except csv.Error as error:
        raise ValueError(f"{folder / 'questions.csv'} is no CSV ({error}). Look at its quotes: each needs another.") from error
    columns = {
        "image": [{"bytes": None, "path": str(folder / line["image"]) if line["image"] else None} for line in lines],
        "query": [line["question"] for line in lines],
        "label": [[line["answer"], *line.get(None, ())] for line in lines],  # None: what a row has beyond the header's columns
        "human_or_machine": [0] * len(lines),
    }
    return Dataset.from_dict(columns, features=Features({**FEATURES, "image": Image(decode=False)}))


def _lines(folder: Path) -> list[dict]:
    with open(folder / "questions.csv", newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, strict=True)
        wanted = ("image", "question", "answer")
        missing = [name for name in wanted if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{folder / 'questions.csv'} has the columns {', '.join(reader.fieldnames or ()) or 'none'}; "
                f"it needs {', '.join(wanted)} (missing: {', '.join(missing)})"
            )
        return list(reader)
