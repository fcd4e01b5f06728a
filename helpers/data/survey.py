"""Every row of every split of a source, sorted into those that can be learnt from and those that can't, with the reasons."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset
from tqdm.auto import tqdm

from helpers.data.chartqa import open_chartqa, question_problem
from helpers.data.preferences import open_preferences, pair_problem
from helpers.data.rows import SPLITS, place
from helpers.data.sources import columns_of
from helpers.paths import resolve

KINDS_OF_DATA = ("questions", "preferences")


@dataclass(frozen=True)
class Surveyed:
    """One split: its good rows, undecoded, and of the others where they stand ("row 6 (line 8)") and what is wrong."""

    split: str
    rows: Dataset
    problems: list[tuple[str, str]]


def kind_of_data(source: str | Path) -> str:
    """ "preferences" where there are columns chosen and rejected, else "questions". FileNotFoundError if there is nothing."""
    folder = resolve(source)
    if source == "embedded" or (folder.is_dir() and any(path.suffix.lower() == ".csv" for path in folder.iterdir())):
        return "questions"
    return "preferences" if {"chosen", "rejected"} <= set(columns_of(str(source))) else "questions"


def survey_rows(source: str | Path, kind: str, also: Callable[[str], str | None]) -> list[Surveyed]:
    """Each split that the source has, or that is cut out of it, with all of its problems.

    ``kind``: one of ``KINDS_OF_DATA``. ``also``: what else may be wrong with a text, in words. ValueError and
    FileNotFoundError for what makes the source as a whole unreadable.
    """
    found, missing, said = [], None, io.StringIO()
    for split in SPLITS:
        try:
            with contextlib.redirect_stdout(said):
                found.append(_surveyed(source, split, kind, also))
        except FileNotFoundError as error:
            missing = error
    for line in dict.fromkeys(said.getvalue().splitlines()):  # what the loaders say of each split alike
        print(line)
    if not found:
        raise missing
    return found


def _surveyed(source: str | Path, split: str, kind: str, also: Callable[[str], str | None]) -> Surveyed:
    lines = None
    if kind == "questions":
        rows, numbers, lines = open_chartqa(source, split)
    else:
        rows, numbers = open_preferences(source, split)
    problem_of = question_problem if kind == "questions" else pair_problem
    good, problems = [], []
    for at in tqdm(range(len(rows)), desc=f"checking {split}", unit="row", delay=5, mininterval=1):
        row, number = rows[at], int(numbers[at])
        problem = problem_of(row) or next(filter(None, map(also, texts_of(row))), None)
        if problem is None:
            good.append(at)
        else:
            problems.append((place(number, lines[number] if lines is not None else None), problem))
    return Surveyed(split, rows.select(good), problems)


def texts_of(row: dict) -> list[str]:
    """All that is read or said in a row of questions or of preferences."""
    if "query" in row:
        return [row["query"], *row["label"]]
    return [turn["content"] for side in ("prompt", "chosen", "rejected") for turn in row[side]]
