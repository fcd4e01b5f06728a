"""Bring your own test set: a folder of pictures with a CSV of questions and answers, evaluated with one call.

Whatever is wrong with the folder is collected and said in words; the good rows are scored all the same.
"""

import csv
import difflib
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from helpers.data import image_problem, to_rgb
from helpers.evaluation.generate import generate_answers
from helpers.evaluation.metrics import bootstrap_interval, relaxed_match
from helpers.models import SHORT_ANSWER
from helpers.paths import resolve

COLUMNS = ("image", "question", "answer")
Problem = tuple[int, str]  # line of the CSV, whose first is 1, and what is wrong there
_HOW_TO = f"a CSV with the columns {', '.join(COLUMNS)}, a line for each question; image is the picture's file name"


@dataclass(frozen=True)
class Answered:
    """One question that was scored. ``line``: of the CSV, whose header is line 1."""

    line: int
    image: Path
    question: str
    truth: str
    answer: str
    right: bool


@dataclass(frozen=True)
class Report:
    """``score``: relaxed accuracy, 0..1, of the ``scored`` rows. ``problems``: what is wrong with the others, in words.

    ``rows``: the scored ones with the model's answers; ``failures``: those that it got wrong, ready for ``plots.plot_charts``.
    """

    score: float
    scored: int
    problems: list[str]
    rows: list[Answered] = field(repr=False)

    @property
    def failures(self) -> list[dict]:
        wrong = [row for row in self.rows if not row.right]
        return [
            {"image": _open(row.image), "text": f"{row.question}\ntruth: {row.truth}\nmodel: {row.answer}"} for row in wrong
        ]

    def __str__(self) -> str:
        return "\n".join([self._headline(), *(f"  - {problem}" for problem in self.problems)])

    def _repr_html_(self) -> str:
        problems = "".join(f"<li>{html.escape(problem)}</li>" for problem in self.problems)
        return f"<p><b>{html.escape(self._headline())}</b></p><ul>{problems}</ul>"

    def _headline(self) -> str:
        low, high = bootstrap_interval([row.right for row in self.rows])
        return (
            f"relaxed accuracy {self.score:.3f} (95 % interval {low:.3f} to {high:.3f}) on {self.scored} rows; "
            f"{len(self.problems)} problem{'s' * (len(self.problems) != 1)}"
        )


def evaluate_folder(
    folder: str | Path, model, processor, *, system: str = SHORT_ANSWER, batch_size: int = 32, max_new_tokens: int = 16
) -> Report:
    """Ask ``model`` every question of ``folder`` and score its answers.

    The folder holds pictures of any kind that Pillow opens and ``questions.csv`` with the columns ``image,question,answer``
    (comma, semicolon or tab between them; without a file of that name, the folder's only CSV is taken). A row that can't be
    scored is listed in ``problems``: its picture is missing or unreadable, question or answer is empty, or it repeats an
    earlier row. A misspelt column is guessed, and said. Blanks around a cell don't count. FileNotFoundError where folder or
    CSV are missing, ValueError where no column can be guessed or no row is left to score; both say what to do.
    """
    path = _find_csv(resolve(folder))
    found: list[Problem] = []
    rows = _good_rows(path, _read(path, found), found)
    problems = [f"line {line}: {problem}" for line, problem in sorted(found)]
    if not rows:
        why = problems or [f"there are no questions; it needs {_HOW_TO}"]
        raise ValueError(f"{path} has no row that can be scored:\n  " + "\n  ".join(why))
    answers = generate_answers(
        model, processor, _Lazy(rows), system=system, batch_size=batch_size, max_new_tokens=max_new_tokens
    )
    answered = [
        Answered(line, image, question, truth, answer, relaxed_match(answer, truth))
        for (line, image, question, truth), answer in zip(rows, answers, strict=True)
    ]
    return Report(sum(row.right for row in answered) / len(answered), len(answered), problems, answered)


def _find_csv(folder: Path) -> Path:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}. Give one with pictures and a questions.csv: {_HOW_TO}")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    if folder / "questions.csv" in found:
        return folder / "questions.csv"
    if len(found) == 1:
        return found[0]
    there = f"several CSV files ({', '.join(path.name for path in found)})" if found else "no CSV file"
    raise FileNotFoundError(f"{folder} holds {there}. Name the one to evaluate questions.csv: {_HOW_TO}")


def _read(path: Path, problems: list[Problem]) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells, by ``COLUMNS``, of each row that has as many cells as the header."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error}). Save it as 'CSV UTF-8' and try again") from error
    header = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    names = [name.strip() for name in next((cells for cells in reader if any(cells)), [])]
    places = _places(path, names, reader.line_num, problems)
    rows = []
    for cells in reader:
        if len(cells) > len(names):
            wrong = f"{len(cells)} cells under {len(names)} columns. Quote a text that has a comma in it"
            problems.append((reader.line_num, wrong))
        elif any(cell.strip() for cell in cells):
            cells += [""] * (len(names) - len(cells))
            rows.append((reader.line_num, {column: cells[at].strip() for column, at in places.items()}))
    return rows


def _places(path: Path, names: list[str], line: int, problems: list[Problem]) -> dict[str, int]:
    """Where each of ``COLUMNS`` is; a misspelt one is guessed, and the guess is added to ``problems``."""
    places = {column: names.index(column) for column in COLUMNS if column in names}
    for column in COLUMNS:
        if column not in places:
            free = {name.lower(): at for at, name in enumerate(names) if at not in places.values()}
            near = difflib.get_close_matches(column, free, n=1, cutoff=0.7)
            if not near:
                raise ValueError(
                    f"{path} has the columns {', '.join(names) or 'none'}, and none that could be {column!r}. Rename it: "
                    f"the file needs {', '.join(COLUMNS)} in its first line"
                )
            places[column] = free[near[0]]
            wrong = f"there is no column {column!r}, and {names[places[column]]!r} was taken for it. Did you mean {column!r}?"
            problems.append((line, f"{wrong} Rename it"))
    return places


def _good_rows(path: Path, rows: list[tuple[int, dict[str, str]]], problems: list[Problem]) -> list[tuple[int, Path, str, str]]:
    """Line, picture, question and answer of the rows that can be scored; what is wrong with the others goes to ``problems``."""
    good, seen = [], {}
    for line, row in rows:
        problem = _problem(path.parent, row)
        key = (row["image"], row["question"].lower())
        if problem is None and key in seen:
            earlier, answer = seen[key]
            problem = f"a duplicate of line {earlier}: the same picture and question"
            if answer != row["answer"]:
                problem += f", but with another answer ({row['answer']!r}, there {answer!r}): only line {earlier} is scored"
        if problem is None:
            seen[key] = line, row["answer"]
            good.append((line, path.parent / row["image"], row["question"], row["answer"]))
        else:
            problems.append((line, problem))
    return good


def _problem(folder: Path, row: dict[str, str]) -> str | None:
    for column in COLUMNS:
        if not row[column]:
            return f"the {column} is empty"
    path = folder / row["image"]
    if path.is_file():
        return image_problem({"bytes": None, "path": str(path)})
    near = difflib.get_close_matches(row["image"], [at.name for at in folder.iterdir()], n=1)
    return f"the image {row['image']} is not there" + (f". Did you mean {near[0]}?" if near else "")


class _Lazy(Sequence):
    """The rows as ``generate_answers`` takes them; each picture is opened when it is used."""

    def __init__(self, rows: list[tuple[int, Path, str, str]]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> dict:
        _, image, question, _ = self.rows[at]
        return {"image": _open(image), "query": question}


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return to_rgb(picture)
