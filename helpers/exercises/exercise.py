"""The learner's side of an exercise: ``q1.check()``, ``q1.hint()``, ``q1.solution()``."""

import importlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import nbformat

from helpers.exercises.result import Result, Text
from helpers.exercises.solved import Progress, mark_solved, read_solved
from helpers.paths import ROOT

EXERCISES = ROOT / "exercises"
SOURCE, SOLUTIONS = EXERCISES / "source", EXERCISES / "solutions"


class Check(Protocol):
    def judge(self, namespace: Mapping) -> Result: ...


@dataclass(frozen=True)
class Question:
    """What an exercise checks, and its hints, the first one the gentlest."""

    check: Check
    hints: tuple[str, ...]


@dataclass(frozen=True)
class Exercise:
    """A question bound to the notebook in which it is answered. ``namespace``: that notebook's ``globals()``."""

    notebook: str
    name: str
    question: Question
    namespace: Mapping

    def check(self) -> Result:
        """Judge what stands in the notebook now."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbgrader gives no points to a cell that wrote to stderr
            result = self.question.check.judge(self.namespace)
        if result:
            mark_solved(self.notebook, self.name)
        return result

    def hint(self, n: int = 1) -> Text:
        """The ``n``-th hint, counted from 1. ValueError says how many there are."""
        hints = self.question.hints
        if n not in range(1, len(hints) + 1):
            raise ValueError(f"there is no hint {n!r}: {self.name} has {len(hints)}, {self.name}.hint(1) is the first")
        more = f"\n\n({self.name}.hint({n + 1}) says more.)" if n < len(hints) else ""
        return Text(f"**Hint {n}.** {hints[n - 1]}{more}")

    def solution(self) -> Text:
        """The solution's code, from ``exercises/solutions``, which is generated from the same source as the exercise."""
        path = SOLUTIONS / f"{self.notebook}.ipynb"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there: restore it from the repository, or `make exercises`")
        (code,) = (c.source for c in nbformat.read(path, as_version=4).cells if _grade_id(c) == self.name)
        lines = [line for line in code.splitlines() if not line.strip().startswith("### ")]
        return Text("```python\n" + "\n".join(lines) + "\n```")

    def __repr__(self) -> str:
        return f"{self.name} of {self.notebook}: {self.name}.check(), {self.name}.hint(), {self.name}.solution()"


def open_exercises(notebook: str, namespace: Mapping) -> list[Exercise]:
    """The exercises of a notebook, in order, bound to its names: ``q1, q2 = open_exercises("00_meet_the_model", globals())``.

    ValueError says which notebooks there are.
    """
    return [Exercise(notebook, name, question, namespace) for name, question in questions_of(notebook).items()]


def questions_of(notebook: str) -> dict[str, Question]:
    """A notebook's questions by name, from ``helpers.exercises.questions_NN``."""
    known = notebooks()
    if notebook not in known:
        raise ValueError(f"there are no exercises called {notebook!r}; there are {', '.join(known)}")
    return importlib.import_module(f"helpers.exercises.questions_{notebook[:2]}").QUESTIONS


def notebooks(folder: Path = EXERCISES) -> list[str]:
    """The exercise notebooks' names, in the order they are taught."""
    return sorted(path.stem for path in folder.glob("*.ipynb") if re.match(r"\d\d_", path.stem))


def progress() -> Progress:
    """What is solved in this copy of the course, by notebook."""
    solved = read_solved()
    rows = []
    for notebook in notebooks():
        names = tuple(questions_of(notebook))
        rows.append((notebook, names, tuple(name for name in names if name in solved.get(notebook, ()))))
    return Progress(tuple(rows))


def _grade_id(cell) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")
