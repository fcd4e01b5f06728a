"""What is solved, kept in one file in the learner's own copy. Nothing is sent anywhere."""

import html
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from helpers.paths import ROOT, resolve


def progress_file() -> Path:
    """``exercises/.progress.json``; ``$COURSE_PROGRESS`` replaces it, for tests and grading."""
    return resolve(os.environ.get("COURSE_PROGRESS") or ROOT / "exercises" / ".progress.json")


def read_solved() -> dict[str, list[str]]:
    """Names of the solved exercises by notebook; empty if nothing is solved or the file can't be read."""
    try:
        return json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def mark_solved(notebook: str, exercise: str) -> None:
    """Once solved, it stays so."""
    solved = read_solved()
    if exercise in solved.get(notebook, []):
        return
    solved[notebook] = sorted([*solved.get(notebook, []), exercise])
    path = progress_file()
    # Written whole and then renamed, so that a kernel that dies leaves the old file.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, suffix=".part", encoding="utf-8") as file:
        json.dump(solved, file, indent=1, sort_keys=True)
    os.replace(file.name, path)


@dataclass(frozen=True, repr=False)
class Progress:
    """``rows``: notebook, its exercises, those that are solved."""

    rows: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]

    def __str__(self) -> str:
        lines = [
            f"{name:24} {len(done)} of {len(all_of)}   " + " ".join(f"{q}{'*' if q in done else '.'}" for q in all_of)
            for name, all_of, done in self.rows
        ]
        return "\n".join([*lines, f"{self.solved} of {self.total} solved (* solved, . open)"])

    __repr__ = __str__

    @property
    def solved(self) -> int:
        return sum(len(done) for _, _, done in self.rows)

    @property
    def total(self) -> int:
        return sum(len(all_of) for _, all_of, _ in self.rows)

    def _repr_html_(self) -> str:
        def cells(name, all_of, done):
            marks = " ".join(f"<b>{q} solved</b>" if q in done else f"{q} open" for q in all_of)
            return f"<tr><td>{html.escape(name)}</td><td>{len(done)} of {len(all_of)}</td><td>{marks}</td></tr>"

        return f"<table>{''.join(cells(*row) for row in self.rows)}</table>{self.solved} of {self.total} solved"
