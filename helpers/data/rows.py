"""What every kind of data shares: find a source's rows, split them by image, and name the rows that can't be learnt from."""

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
from datasets import Dataset
from PIL import Image as PILImage
from tqdm.auto import tqdm

from helpers.hub import DATA_FILES, disk_full, fetch, is_hub_id
from helpers.paths import resolve

SPLITS = ("train", "val", "test")


class BadRowError(ValueError):
    """A row that can't be learnt from. ``row``: its number in the source, counted from 0."""

    def __init__(self, source: str, row: int, problem: str):
        super().__init__(
            f"row {row} of {source}: {problem}. Mend or remove the row, or load with on_error='skip' to go on without it."
        )
        self.row = row


@dataclass(frozen=True)
class Layout:
    """One kind of data. ``unify`` brings rows, opened from the source of that name, into its columns, images undecoded."""

    embedded: Path
    image_column: str  # an image a row, or a list of them
    unify: Callable[[Dataset, str], Dataset]
    advice: str  # what to do where a folder or glob holds no file of the split
    carved: tuple[str, ...] = ()  # splits that are cut out of train where a source lacks them


def check_choices(split: str, on_error: str) -> None:
    """ValueError names the choices."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; the splits are {', '.join(SPLITS)}")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is {on_error!r}; it is 'raise' or 'skip'")


def open_rows(source: str, split: str, seed: int, layout: Layout) -> tuple[Dataset, np.ndarray]:
    """The split's rows, images undecoded and unchecked, and each row's number in the source."""
    if source == "embedded":
        return _whole(_unified(_parquet([layout.embedded / f"{split}.parquet"], source), source, layout))
    path = resolve(source)
    if not path.exists() and is_hub_id(source):
        path = fetch(source, "dataset", DATA_FILES)
    if path.is_dir() or glob.has_magic(source):
        found = sorted(path.glob("**/*.parquet")) if path.is_dir() else sorted(map(Path, glob.glob(str(path), recursive=True)))
        files = {name: [file for file in found if _split_in_name(file.name) == name] for name in SPLITS}
        parts = {name: lambda some=some: _parquet(some, source) for name, some in files.items() if some}
        missing = (
            f"{source}: no parquet file with {split!r} in its name (found: "
            f"{', '.join(file.name for file in found) or 'none'}). {layout.advice}"
        )
        return _part(parts, split, seed, source, layout, missing)
    if path.is_file():
        return split_by_image(_unified(_parquet([path], source), source, layout), split, seed, source, layout.image_column)
    raise FileNotFoundError(
        f"{source}: no such file, folder or glob (relative paths count from {resolve('.')}), and not a hub id owner/name"
    )


def select_good(
    rows: Dataset,
    numbers: np.ndarray,
    problem_of: Callable[[dict], str | None],
    source: str,
    split: str,
    limit: int | None,
    on_error: str,
    seed: int,
) -> Dataset:
    """The rows in which ``problem_of`` finds nothing wrong, or ``limit`` of them, drawn with ``seed``.

    ``numbers``: each row's number in the source. BadRowError at the first bad row, or skipped and printed, as ``on_error``
    says; ValueError if no row is left.
    """
    pyarrow.default_memory_pool().release_unused()  # Arrow keeps what converting the files took: hundreds of megabytes
    order = np.random.default_rng(seed).permutation(len(rows)) if limit is not None else np.arange(len(rows))
    kept, dropped = _check(rows, order, limit, problem_of, stop_at_first=on_error == "raise")
    if dropped and on_error == "raise":
        at, problem = dropped[0]
        raise BadRowError(source, int(numbers[at]), problem)
    if dropped:
        print(f"skipped {len(dropped)} of {len(kept) + len(dropped)} rows of {source}:")
        for at, problem in dropped:
            print(f"  row {int(numbers[at])}: {problem}")
    if not kept:
        raise ValueError(f"{source} has no usable row in split {split!r}")
    return rows.select(kept)


def image_problem(image: dict | None) -> str | None:
    """What is wrong with an undecoded image, in words, or None. One decoded image is in memory at a time."""
    if image is None or (image["bytes"] is None and not image["path"]):
        return "there is no image"
    if image["bytes"] is None and not os.path.isfile(image["path"]):  # a named pipe would be waited for, for ever
        return f"the image {image['path']} is {'no picture file' if os.path.exists(image['path']) else 'not there'}"
    try:
        to_rgb(datasets.Image().decode_example(image))  # all that will be done when the row is used
    except Exception as error:  # Pillow's decoders raise many kinds; each means that the picture can't be used
        return f"the image can't be opened ({type(error).__name__}: {error})"
    return None


def to_rgb(image: PILImage.Image) -> PILImage.Image:
    """Palette, grey and transparent pictures become RGB, on white: most charts are drawn for a white page."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        page = PILImage.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page.convert("RGB")
    if image.mode.startswith("I;16"):  # grey of 16 bits: convert() alone would make all but the darkest of it white
        return image.point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers, and which of them is white isn't said: save it with 8 bits a pixel")
    return image.convert("RGB")


def has_text(value: object) -> bool:
    """Whether it is text in which something can be seen: zero-width and control characters can't."""
    return isinstance(value, str) and any(character.isprintable() and not character.isspace() for character in value)


def require_columns(rows: Dataset, columns: Sequence[str], source: str) -> None:
    """ValueError names the columns that are missing, and those that are there."""
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise ValueError(
            f"{source} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}: it has {', '.join(rows.column_names)}"
        )


def split_by_image(
    rows: Dataset, split: str, seed: int, source: str, image_column: str, carved: Sequence[str] = ("test", "val")
) -> tuple[Dataset, np.ndarray]:
    """A tenth of the *images* to each of ``carved``, the others to train; and the rows' numbers.

    All questions about a chart stay together, so that none is seen before its test.
    """
    keys = np.array([_image_key(row[image_column]) for row in rows.select_columns([image_column])])
    images = np.unique(keys)
    if len(images) < 5:
        raise ValueError(f"{source} has {len(images)} different images; at least 5 are needed: 2 to test, 1 to validate")
    shuffled = np.random.default_rng(seed).permutation(images)
    tenth, chosen, start = max(1, round(len(images) / 10)), {}, 0
    for name in carved:
        count = max(2, tenth) if name == "test" else tenth  # two, because the test also asks with the wrong chart
        chosen[name] = shuffled[start : start + count]
        start += count
    chosen["train"] = shuffled[start:]
    numbers = np.flatnonzero(np.isin(keys, chosen[split]))
    return rows.select(numbers), numbers


def _part(parts: dict[str, Callable[[], Dataset]], split: str, seed: int, source: str, layout: Layout, missing: str):
    """The split, from one of ``parts`` or cut out of train; ``missing``: what to say if there is neither."""
    carved = [name for name in layout.carved if name not in parts and "train" in parts]
    if split not in parts and split not in carved:
        raise FileNotFoundError(missing)
    if split in carved or (split == "train" and carved):
        return split_by_image(_unified(parts["train"](), source, layout), split, seed, source, layout.image_column, carved)
    return _whole(_unified(parts[split](), source, layout))


def _whole(rows: Dataset) -> tuple[Dataset, np.ndarray]:
    return rows, np.arange(len(rows))


def _parquet(files: list[Path], source: str) -> Dataset:
    try:
        return datasets.load_dataset("parquet", data_files=[str(file) for file in files], split="train")
    except Exception as error:  # datasets, Arrow and the disk have no common class
        if full := disk_full(error):
            raise OSError(full) from error
        raise ValueError(f"{source} can't be read as parquet ({error.__cause__ or error}). Make or fetch it anew.") from error


def _unified(rows: Dataset, source: str, layout: Layout) -> Dataset:
    try:
        return layout.unify(rows, source)
    except (TypeError, KeyError, pyarrow.ArrowException) as error:
        raise ValueError(f"{source} has columns of other types than are needed ({error}): it has {rows.features}") from error


def _split_in_name(name: str) -> str | None:
    for split, pattern in zip(SPLITS, ("train", "val|valid|validation", "test"), strict=True):
        if re.search(rf"(^|[^a-z])({pattern})([^a-z]|$)", name.lower()):
            return split
    return None


def _check(rows: Dataset, order, limit: int | None, problem_of: Callable, stop_at_first: bool):
    """Numbers of good rows, and of bad ones with their problem. Looks at each once, until ``limit`` good ones are found."""
    kept, dropped = [], []
    wanted = len(order) if limit is None else min(limit, len(order))
    with tqdm(total=wanted, desc="checking rows", unit="row", delay=5, mininterval=1) as bar:
        for at in order:
            if len(kept) == wanted or (dropped and stop_at_first):
                break
            problem = problem_of(rows[int(at)])
            if problem is None:
                kept.append(int(at))
                bar.update()
            else:
                dropped.append((int(at), problem))
    return kept, dropped


def _image_key(image: dict | list[dict | None] | None) -> str:
    """The same for the same picture, or list of pictures."""
    if isinstance(image, list):
        return " ".join(map(_image_key, image))
    if image is None:
        return ""
    path = image["path"] or ""
    content = image["bytes"] if image["bytes"] is not None else path.encode()
    if image["bytes"] is None and os.path.isfile(path):  # Path.is_file() raises for a name that is too long
        content = Path(path).read_bytes()
    return hashlib.sha256(content).hexdigest()
