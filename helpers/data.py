"""Open ChartQA-like data from anywhere: rows stay on disk until they are used, and bad rows are named, not met in training."""

import csv
import glob
import hashlib
import io
import re
from pathlib import Path

import datasets
import numpy as np
import pyarrow
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from PIL import Image as PILImage
from tqdm.auto import tqdm

from helpers.hub import DATA_FILES, disk_full, fetch, is_hub_id
from helpers.paths import EMBEDDED_CHARTQA, resolve

SPLITS = ("train", "val", "test")
FEATURES = Features(  # of HuggingFaceM4/ChartQA
    image=Image(), query=Value("string"), label=List(Value("string")), human_or_machine=ClassLabel(names=["human", "machine"])
)
COLUMNS = tuple(FEATURES)


class BadRowError(ValueError):
    """A row that can't be learnt from. ``row``: its number in the source, counted from 0."""

    def __init__(self, source: str, row: int, problem: str):
        super().__init__(
            f"row {row} of {source}: {problem}. Mend or remove the row, or load with on_error='skip' to go on without it."
        )
        self.row = row


def load_chartqa(source: str | Path, split: str, limit: int | None = None, on_error: str = "raise", seed: int = 0) -> Dataset:
    """Rows with the hub's columns ``image, query, label, human_or_machine``; each image becomes RGB when it is used.

    ``source``: ``"embedded"`` (ChartQA-mini); a hub id, ``owner/name`` or ``owner/name@revision``; a folder with
    ``questions.csv`` (columns ``image,question,answer``) or one parquet file, both split 80/10/10 by image; a folder or
    glob of parquet files with the split in their names. ``limit``: that many rows, drawn with ``seed``.
    ``on_error``: ``"raise"`` a :class:`BadRowError` at the first bad row, or ``"skip"`` and print which were dropped.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; the splits are {', '.join(SPLITS)}")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is {on_error!r}; it is 'raise' or 'skip'")
    rows, numbers = open_rows(str(source), split, seed)
    pyarrow.default_memory_pool().release_unused()  # Arrow keeps what converting the files took: hundreds of megabytes
    order = np.random.default_rng(seed).permutation(len(rows)) if limit is not None else np.arange(len(rows))
    kept, dropped = _check(rows, order, limit, stop_at_first=on_error == "raise")
    if dropped and on_error == "raise":
        at, problem = dropped[0]
        raise BadRowError(str(source), int(numbers[at]), problem)
    if dropped:
        print(f"skipped {len(dropped)} of {len(kept) + len(dropped)} rows of {source}:")
        for at, problem in dropped:
            print(f"  row {int(numbers[at])}: {problem}")
    if not kept:
        raise ValueError(f"{source} has no usable row in split {split!r}")
    return rows.select(kept).cast_column("image", Image()).with_transform(_rows_to_rgb)


def to_rgb(image: PILImage.Image) -> PILImage.Image:
    """Palette, grey and transparent pictures become RGB, on white: most charts are drawn for a white page."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        page = PILImage.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page.convert("RGB")
    return image.convert("RGB")


def _rows_to_rgb(batch: dict) -> dict:
    return {**batch, "image": [to_rgb(image) for image in batch["image"]]} if "image" in batch else batch


def _check(rows: Dataset, order, limit: int | None, stop_at_first: bool) -> tuple[list[int], list[tuple[int, str]]]:
    """Good rows, and bad ones with their problem. Looks at each once, in ``order``, until ``limit`` good ones are found.

    One decoded image is in memory at a time.
    """
    kept, dropped = [], []
    wanted = len(order) if limit is None else min(limit, len(order))
    with tqdm(total=wanted, desc="checking rows", unit="row", delay=5, mininterval=1) as bar:
        for at in order:
            if len(kept) == wanted or (dropped and stop_at_first):
                break
            problem = _problem(rows[int(at)])
            if problem is None:
                kept.append(int(at))
                bar.update()
            else:
                dropped.append((int(at), problem))
    return kept, dropped


def _problem(row: dict) -> str | None:
    """What is wrong with a row, in words, or None."""
    if not (isinstance(row["query"], str) and row["query"].strip()):
        return "the question is empty"
    label = row["label"]
    if not (isinstance(label, list) and len(label) == 1 and isinstance(label[0], str) and label[0].strip()):
        return f"the label is {label!r}, not a list of one non-empty string"
    image = row["image"]
    try:
        if image is None or (image["bytes"] is None and not image["path"]):
            return "there is no image"
        with PILImage.open(io.BytesIO(image["bytes"]) if image["bytes"] is not None else image["path"]) as picture:
            picture.load()
    except FileNotFoundError:
        return f"the image {image['path']} is not there"
    except Exception as error:  # Pillow's decoders raise many kinds; each means that the picture can't be used
        return f"the image can't be opened ({type(error).__name__}: {error})"
    return None


def open_rows(source: str, split: str, seed: int) -> tuple[Dataset, np.ndarray]:
    """The split's rows, images undecoded and unchecked, and each row's number in the source."""
    if source == "embedded":
        return _whole(_parquet([EMBEDDED_CHARTQA / f"{split}.parquet"], source))
    path = resolve(source)
    if not path.exists() and is_hub_id(source):
        path = fetch(source, "dataset", DATA_FILES)
    if path.is_dir() and (path / "questions.csv").exists():
        return _split_by_image(_questions_csv(path), split, seed, source)
    if path.is_dir() or glob.has_magic(source):
        found = sorted(path.glob("**/*.parquet")) if path.is_dir() else sorted(map(Path, glob.glob(str(path), recursive=True)))
        files = [file for file in found if _split_in_name(file.name) == split]
        if not files:
            raise FileNotFoundError(
                f"{source}: no questions.csv, and no parquet file with {split!r} in its name (found: "
                f"{', '.join(file.name for file in found) or 'none'}). See 'Your own images' in the README."
            )
        return _whole(_parquet(files, source))
    if path.is_file():
        return _split_by_image(_parquet([path], source), split, seed, source)
    raise FileNotFoundError(
        f"{source}: no such file, folder or glob (relative paths count from {resolve('.')}), and not a hub id owner/name"
    )


def _whole(rows: Dataset) -> tuple[Dataset, np.ndarray]:
    return rows, np.arange(len(rows))


def _parquet(files: list[Path], source: str) -> Dataset:
    try:
        rows = datasets.load_dataset("parquet", data_files=[str(file) for file in files], split="train")
    except Exception as error:  # datasets, Arrow and the disk have no common class
        if full := disk_full(error):
            raise OSError(full) from error
        raise ValueError(
            f"{source} can't be read as parquet ({error.__cause__ or error}). Make or download it anew."
        ) from error
    return _with_hub_columns(rows, source)


def _with_hub_columns(rows: Dataset, source: str) -> Dataset:
    missing = [column for column in COLUMNS if column not in rows.column_names]
    if missing:
        raise ValueError(
            f"{source} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}: it has {', '.join(rows.column_names)}"
        )
    return rows.select_columns(list(COLUMNS)).cast_column("image", Image(decode=False))


def _questions_csv(folder: Path) -> Dataset:
    with open(folder / "questions.csv", newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        wanted = ("image", "question", "answer")
        missing = [name for name in wanted if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{folder / 'questions.csv'} has the columns {', '.join(reader.fieldnames or ()) or 'none'}; "
                f"it needs {', '.join(wanted)} (missing: {', '.join(missing)})"
            )
        lines = list(reader)
    columns = {
        "image": [{"bytes": None, "path": str(folder / line["image"]) if line["image"] else None} for line in lines],
        "query": [line["question"] for line in lines],
        "label": [[line["answer"]] for line in lines],
        "human_or_machine": [0] * len(lines),
    }
    return Dataset.from_dict(columns, features=Features({**FEATURES, "image": Image(decode=False)}))


def _split_in_name(name: str) -> str | None:
    for split, pattern in zip(SPLITS, ("train", "val|valid|validation", "test"), strict=True):
        if re.search(rf"(^|[^a-z])({pattern})([^a-z]|$)", name.lower()):
            return split
    return None


def _split_by_image(rows: Dataset, split: str, seed: int, source: str) -> tuple[Dataset, np.ndarray]:
    """80/10/10 of the *images*: all questions about a chart stay together, so that none is seen before its test."""
    keys = np.array([_image_key(row["image"]) for row in rows.select_columns(["image"])])
    images = np.unique(keys)
    if len(images) < 5:
        raise ValueError(f"{source} has {len(images)} different images; at least 5 are needed: 2 to test, 1 to validate")
    shuffled = np.random.default_rng(seed).permutation(images)
    tenth = max(1, round(len(images) / 10))
    testing = max(2, tenth)  # two, because the test also asks with the wrong chart
    chosen = {
        "test": shuffled[:testing],
        "val": shuffled[testing : testing + tenth],
        "train": shuffled[testing + tenth :],
    }[split]
    numbers = np.flatnonzero(np.isin(keys, chosen))
    return rows.select(numbers), numbers


def _image_key(image: dict | None) -> str:
    if image is None:
        return ""
    path = Path(image["path"] or "")
    content = image["bytes"] if image["bytes"] is not None else path.read_bytes() if path.is_file() else str(path).encode()
    return hashlib.sha256(content).hexdigest()
