"""Find a source's rows, wherever they lie, and split them by picture."""

import errno
import glob
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet as pq
from datasets import Dataset

from helpers.data.rows import SPLITS
from helpers.hub import DATA_FILES, disk_full, fetch, is_hub_id
from helpers.paths import ROOT, resolve


@dataclass(frozen=True)
class Layout:
    """One kind of data.

    ``unify`` brings the rows of one folder's files into its columns, pictures undecoded: (rows, source, folder that paths in
    them count from).
    """

    embedded: Path
    image_column: str  # an image a row, or a list of them
    unify: Callable[[Dataset, str, Path], Dataset]
    advice: str  # what to do where a folder or glob holds no file of the split
    carved: tuple[str, ...] = ()  # splits that are cut out of train where a source lacks them


def open_rows(source: str, split: str, layout: Layout) -> tuple[Dataset, np.ndarray]:
    """The split's rows, images undecoded and unchecked, and each row's number in the source."""
    if source == "embedded":
        return _whole(_parquet([layout.embedded / f"{split}.parquet"], source, layout))
    path = resolve(source)
    if not path.exists() and is_hub_id(source):
        path = fetch(source, "dataset", DATA_FILES)
    if path.is_file():  # before a glob: brackets are good names too
        _check_kind_of_file(path, source)
        return split_by_image(_parquet([path], source, layout), split, source, layout.image_column)
    if path.is_dir() or glob.has_magic(source):
        found = _parquet_files(path) if path.is_dir() else _globbed(source)
        files = {name: [file for file in found if _split_in_name(file.name) == name] for name in SPLITS}
        parts = {name: lambda some=some: _parquet(some, source, layout) for name, some in files.items() if some}
        missing = (
            f"{source}: no parquet file with {split!r} in its name (found: "
            f"{', '.join(file.name for file in found) or 'none'}). {layout.advice}"
        )
        return _part(parts, split, source, layout, missing)
    raise FileNotFoundError(
        f"{source}: no such file, folder or glob (relative paths count from {resolve('.')}), and not a hub id owner/name"
    )


def _check_kind_of_file(path: Path, source: str) -> None:
    """ValueError if a single file's name says that it is no parquet file, with what to give instead."""
    kind = path.suffix.lower()
    if kind == ".csv":
        raise ValueError(f"{source} is a CSV: give the folder that it lies in, and call it questions.csv")
    if kind in (".json", ".jsonl", ".tsv", ".xlsx", ".xls", ".ods", ".zip", ".arrow", ".png", ".jpg", ".jpeg"):
        raise ValueError(f"{source} is a {kind[1:].upper()} file: give a parquet file, or a folder with questions.csv")


def columns_of(source: str) -> list[str]:
    """The columns of a source's first parquet file. FileNotFoundError if there is none."""
    path = resolve(source)
    if not path.exists() and is_hub_id(source):
        path = fetch(source, "dataset", DATA_FILES)
    if path.is_file():
        _check_kind_of_file(path, source)
    files = [path] if path.is_file() else _parquet_files(path) if path.is_dir() else _globbed(source)
    if not files:
        raise FileNotFoundError(f"{source}: there is no such file or folder, and no parquet file or questions.csv in it")
    try:
        return pq.read_schema(files[0]).names
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{files[0]} can't be read as parquet ({error}): make or fetch it anew") from error


def split_by_image(
    rows: Dataset, split: str, source: str, image_column: str, carved: Sequence[str] = ("test", "val")
) -> tuple[Dataset, np.ndarray]:
    """A tenth of the *images* to each of ``carved``, the others to train; and the rows' numbers.

    All questions about a chart stay together, so that none is seen before its test. Which split a chart is in depends on no
    seed: a model that was trained with one seed is judged by runs with others.
    """
    keys = np.array([image_key(row[image_column]) for row in rows.select_columns([image_column])])
    images = np.unique(keys)
    if len(images) < 5:
        raise ValueError(f"{source} has {len(images)} different images; at least 5 are needed: 2 to test, 1 to validate")
    shuffled = np.random.default_rng(0).permutation(images)
    tenth, chosen, start = max(1, round(len(images) / 10)), {}, 0
    for name in carved:
        count = max(2, tenth) if name == "test" else tenth  # two, because the test also asks with the wrong chart
        chosen[name] = shuffled[start : start + count]
        start += count
    chosen["train"] = shuffled[start:]
    numbers = np.flatnonzero(np.isin(keys, chosen[split]))
    return rows.select(numbers), numbers


def image_key(image: dict | list[dict | None] | None) -> str:
    """The same for the same picture, or list of pictures."""
    if isinstance(image, list):
        return " ".join(map(image_key, image))
    if image is None:
        return ""
    path = image["path"] or ""
    content = image["bytes"] if image["bytes"] is not None else path.encode()
    if image["bytes"] is None and os.path.isfile(path):  # Path.is_file() raises for a name that is too long
        content = Path(path).read_bytes()
    return hashlib.sha256(content).hexdigest()


def _part(parts: dict[str, Callable[[], Dataset]], split: str, source: str, layout: Layout, missing: str):
    """The split, from one of ``parts`` or cut out of train; ``missing``: what to say if there is neither."""
    carved = [name for name in layout.carved if name not in parts and "train" in parts]
    if split not in parts and split not in carved:
        raise FileNotFoundError(missing)
    if split in carved or (split == "train" and carved):
        return split_by_image(parts["train"](), split, source, layout.image_column, carved)
    return _whole(parts[split]())


def _whole(rows: Dataset) -> tuple[Dataset, np.ndarray]:
    return rows, np.arange(len(rows))


def _parquet_files(folder: Path) -> list[Path]:
    """Those under ``folder``, without hidden files and folders: a Mac leaves ``._train.parquet`` beside each file."""
    found = sorted(folder.glob("**/*.parquet"))
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def _globbed(pattern: str) -> list[Path]:
    """What a glob finds; a relative one counts from the repository, whose own path may have brackets in it."""
    found = sorted(ROOT / name for name in glob.glob(os.path.expanduser(pattern), root_dir=ROOT, recursive=True))
    return [file for file in found if not file.name.startswith(".")]


def _parquet(files: list[Path], source: str, layout: Layout) -> Dataset:
    """The rows of all files, in the layout's columns. Relative paths in them count from each file's own folder."""
    by_folder: dict[Path, list[Path]] = {}
    for file in files:
        by_folder.setdefault(file.parent, []).append(file)
    parts = [_unified(_read(some, source), source, folder, layout) for folder, some in by_folder.items()]
    return datasets.concatenate_datasets(parts) if len(parts) > 1 else parts[0]


def _read(files: list[Path], source: str) -> Dataset:
    for file in files:
        if file.stat().st_size == 0:
            raise ValueError(f"{file} is empty (0 bytes), so {source} can't be read: copy or fetch it anew")
    try:
        # Escaped, as datasets takes each name for a pattern: a folder may be called "[2025] charts".
        return datasets.load_dataset("parquet", data_files=[glob.escape(str(file)) for file in files], split="train")
    except Exception as error:  # datasets, Arrow and the disk have no common class
        if full := disk_full(error):
            raise OSError(full) from error
        if _read_only(error):
            raise OSError(
                f"{source} can't be opened: its rows are kept in {datasets.config.HF_DATASETS_CACHE}, where nothing can be "
                "written. Set HF_HOME to a folder that can be written to"
            ) from error
        raise ValueError(
            f"{source} can't be read as parquet: a file is broken or of another kind ({error.__cause__ or error}). "
            "Make or fetch it anew."
        ) from error


def _read_only(error: BaseException | None) -> bool:
    """Whether a place that can't be written to is behind ``error``."""
    while error is not None:
        if isinstance(error, PermissionError) or getattr(error, "errno", None) in (errno.EROFS, errno.EACCES, errno.EPERM):
            return True
        error = error.__cause__ or error.__context__
    return False


def _unified(rows: Dataset, source: str, folder: Path, layout: Layout) -> Dataset:
    try:
        return layout.unify(rows, source, folder)
    except (TypeError, KeyError, pyarrow.ArrowException) as error:
        found = ", ".join(f"{name} ({getattr(kind, 'dtype', type(kind).__name__)})" for name, kind in rows.features.items())
        raise ValueError(f"{source} has columns of other types than are needed ({error}): it has {found}") from error


def _split_in_name(name: str) -> str | None:
    for split, pattern in zip(SPLITS, ("train", "val|valid|validation", "test"), strict=True):
        if re.search(rf"(^|[^a-z])({pattern})([^a-z]|$)", name.lower()):
            return split
    return None
