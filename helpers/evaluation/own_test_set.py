"""Bring your own test set: a folder of pictures with a CSV of questions and answers, evaluated with one call.

Whatever is wrong with the folder is collected and said in words; the good rows are scored all the same.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.data import CsvFile, CsvRow, find_csv, find_picture, image_problem, open_picture, read_questions, text_problem
from helpers.evaluation.asked import Asked
from helpers.evaluation.generate import generate_answers
from helpers.evaluation.metrics import bootstrap_interval, relaxed_match
from helpers.evaluation.served import ServedError
from helpers.models import SHORT_ANSWER
from helpers.paths import resolve

Problem = tuple[int, str]  # line of the CSV, whose first is 1, and what is wrong there


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
            {"image": open_picture(row.image), "text": f"{row.question}\ntruth: {row.truth}\nmodel: {row.answer}"}
            for row in wrong
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
    folder: str | Path, model, processor=None, *, system: str = SHORT_ANSWER, batch_size: int = 32, max_new_tokens: int = 16
) -> Report:
    """Ask ``model`` every question of ``folder`` and score its answers.

    The folder holds pictures of any kind that Pillow opens and ``questions.csv`` with the columns ``image,question,answer``
    (comma, semicolon or tab between them; without a file of that name, the folder's only CSV is taken). A row that can't be
    scored is listed in ``problems``: its picture is missing or unreadable, question or answer is empty, or it repeats an
    earlier row. A misspelt column is guessed, and said. Blanks around a cell don't count. FileNotFoundError where folder or
    CSV are missing, ValueError where no column can be guessed or no row is left to score; both say what to do.

    ``model`` may be a :class:`Served`, which needs no processor. A row that gets no answer is a problem like the others; a
    server that is given up before every row was asked is a ServedError, and the same call with the same Served goes on.
    """
    file = read_questions(find_csv(resolve(folder)))
    found: list[Problem] = [*file.notes, *file.guesses.values()]
    rows = _good_rows(file, found)
    if not rows:
        why = _in_words(found) or ["there are no questions in it"]
        raise ValueError(f"{file.path} has no row that can be scored:\n  " + "\n  ".join(why))
    how = {"system": system, "batch_size": batch_size, "max_new_tokens": max_new_tokens}
    try:
        answers = generate_answers(model, processor, _Lazy(rows), **how)
    except ServedError as error:
        if error.gave_up:
            raise
        answers = error.answers
        found += [(rows[at][0], problem) for at, problem in error.rows.items()]
    answered = [
        Answered(line, image, question, truth, answer, relaxed_match(answer, truth))
        for (line, image, question, truth), answer in zip(rows, answers, strict=True)
        if answer is not None
    ]
    problems = _in_words(found)
    if not answered:
        raise ValueError(f"{file.path}: no question was answered:\n  " + "\n  ".join(problems))
    return Report(sum(row.right for row in answered) / len(answered), len(answered), problems, answered)


def _in_words(found: list[Problem]) -> list[str]:
    return [f"line {line}: {problem}" for line, problem in sorted(found)]


def _good_rows(file: CsvFile, problems: list[Problem]) -> list[tuple[int, Path, str, str]]:
    """Line, picture, question and answer of the rows that can be scored; what is wrong with the others goes to ``problems``."""
    good, seen = [], {}
    for row in file.rows:
        path, problem = _picture(file.path.parent, row)
        key = (str(path), row.question.lower())
        if problem is None and key in seen:
            earlier, answer = seen[key]
            problem = f"a duplicate of line {earlier}: the same picture and question"
            if answer != row.answer:
                problem += f", but with another answer ({row.answer!r}, there {answer!r}): only line {earlier} is scored"
        if problem is None:
            seen[key] = row.line, row.answer
            good.append((row.line, path, row.question, row.answer))
        else:
            problems.append((row.line, problem))
    return good


def _picture(folder: Path, row: CsvRow) -> tuple[Path | None, str | None]:
    """The row's picture, and what is wrong with the row."""
    problem = row.problem or text_problem("question", row.question) or text_problem("answer", row.answer)
    if problem:
        return None, problem
    try:
        path = find_picture(folder, row.image)
    except FileNotFoundError as error:
        return None, str(error)
    return path, image_problem({"bytes": None, "path": str(path)})


class _Lazy(Sequence):
    """The rows as ``generate_answers`` takes them; each picture is opened when it is used."""

    def __init__(self, rows: list[tuple[int, Path, str, str]]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> dict:
        return {"image": self.picture(at), "query": self.rows[at][2]}

    def asked(self) -> Asked:
        """Two rows of one file ask about one picture; none is opened to see that."""
        questions, files = [row[2] for row in self.rows], [str(row[1]) for row in self.rows]
        return Asked(questions, files, self.picture, [(0, 0)] * len(files))

    def picture(self, at: int):
        return open_picture(self.rows[at][1])
