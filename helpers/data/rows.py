"""Rows that can be learnt from, and the naming or skipping of those that can't."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow
from datasets import Dataset
from tqdm.auto import tqdm

SPLITS = ("train", "val", "test")
# What processors write where a picture, video or sound belongs. In a question or an answer it asks for a picture that the row
# hasn't got. `helpers.evaluation.check_dataset` asks the processor itself.
_PLACEHOLDER = re.compile(
    r"<(image|img|video|audio|image_soft_token|start_of_image|end_of_image|fake_token_around_image|global-img|IMG_CONTEXT|"
    r"image_placeholder|row_\d+_col_\d+)>|<\|(image|video|audio|vision|img)(_\w+)?\|>|\[(IMG|IMG_BREAK|IMG_END)\]"
)


class BadRowError(ValueError):
    """A row that can't be learnt from. ``row``: its number in the source, counted from 0; a file's line is in the message."""

    def __init__(self, source: str, row: int, problem: str, line: int | None = None):
        super().__init__(
            f"{place(row, line)} of {source}: {problem}. Mend or remove the row, or load with on_error='skip' to go on "
            "without it."
        )
        self.row = row


def place(row: int, line: int | None) -> str:
    """Where a row stands, for messages."""
    return f"row {row}" + (f" (line {line})" if line is not None else "")


def check_choices(split: str, on_error: str, limit: int | None) -> None:
    """ValueError names the choices."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; the splits are {', '.join(SPLITS)}")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is {on_error!r}; it is 'raise' or 'skip'")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1):
        raise ValueError(f"limit is {limit!r}; it is a whole number from 1, or None for all rows")


def text_problem(name: str, text: object) -> str | None:
    """What is wrong with a text that a model is to read or to say, in words, or None. ``name``: what it is."""
    if not isinstance(text, str) or not any(c.isprintable() and not c.isspace() for c in text):
        return f"the {name} is empty" + (" (invisible characters alone)" if isinstance(text, str) and text.strip() else "")
    if found := _PLACEHOLDER.search(text):
        return f"the {name} has the placeholder {found.group()} in it: remove it, the chat template puts the picture's in"
    return None


def select_good(
    rows: Dataset,
    numbers: np.ndarray,
    problem_of: Callable[[dict], str | None],
    source: str,
    split: str,
    limit: int | None,
    on_error: str,
    seed: int,
    lines: Sequence[int] | None = None,
) -> Dataset:
    """The rows in which ``problem_of`` finds nothing wrong, or ``limit`` of them, drawn with ``seed``.

    ``numbers``: each row's number in the source. ``lines``: by that number, its line in the file. BadRowError at the first bad
    row, or skipped and printed, as ``on_error`` says; ValueError if no row is left.
    """
    pyarrow.default_memory_pool().release_unused()  # Arrow keeps what converting the files took: hundreds of megabytes
    order = np.random.default_rng(seed).permutation(len(rows)) if limit is not None else np.arange(len(rows))
    kept, dropped = _check(rows, order, limit, problem_of, stop_at_first=on_error == "raise")
    named = [(int(numbers[at]), lines[int(numbers[at])] if lines is not None else None, problem) for at, problem in dropped]
    if named and on_error == "raise":
        number, line, problem = named[0]
        raise BadRowError(source, number, problem, line)
    if named:
        print(f"skipped {len(named)} of {len(kept) + len(named)} rows of {source}:")
        for number, line, problem in named:
            print(f"  {place(number, line)}: {problem}")
    if not kept:
        raise ValueError(f"{source} has no usable row in split {split!r}")
    return rows.select(kept)


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
