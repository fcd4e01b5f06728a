"""The index of the exercises, read from their source, and the stamp that tells whether what was generated still fits it."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat

KINDS = ("predict a figure", "fill in a function", "repair a configuration", "diagnose a run", "free experiment")
_HEADER = re.compile(
    r"## (?P<number>\d+) · (?P<title>.+)\n\n\*\*Difficulty\*\* (?P<difficulty>[123]) of 3 · \*\*(?P<minutes>\d+) minutes\*\* · "
    r"(?P<kind>.+)\n\n\*\*What for:\*\* "
)


@dataclass(frozen=True)
class Entry:
    """An exercise as its opening describes it. ``difficulty``: 1 to 3. ``kind``: one of ``KINDS``."""

    notebook: str
    number: int
    title: str
    difficulty: int
    minutes: int
    kind: str


def entries_of(source: Path) -> list[Entry]:
    """The exercises of a source notebook. ValueError for one without difficulty, minutes, kind and what it is for."""
    entries = []
    for cell in nbformat.read(source, as_version=4).cells:
        if cell.cell_type != "markdown" or not re.match(r"## \d", cell.source):
            continue
        found = _HEADER.match(cell.source)
        if not found or found["kind"] not in KINDS:
            raise ValueError(
                f"{source.name}: {cell.source.splitlines()[0]!r} must be followed by '**Difficulty** 2 of 3 · **5 "
                "minutes** · kind', "
                f"with one of {', '.join(KINDS)}, and by '**What for:** ...'"
            )
        number, difficulty, minutes = (int(found[name]) for name in ("number", "difficulty", "minutes"))
        entries.append(Entry(source.stem, number, found["title"], difficulty, minutes, found["kind"]))
    return entries


def index_of(sources: Iterable[Path]) -> str:
    """The text of ``exercises/README.md``."""
    entries = [entry for source in sources for entry in entries_of(source)]
    rows = [
        f"| [{e.notebook[:2]}.{e.number} {e.title}]({e.notebook}.ipynb) | {e.notebook} | {e.difficulty} | {e.minutes} | "
        f"{e.kind} |"
        for e in entries
    ]
    hours = sum(entry.minutes for entry in entries) / 60
    diagnoses = sum(entry.kind == "diagnose a run" for entry in entries)
    return _PAGE.format(rows="\n".join(rows), count=len(entries), hours=hours, diagnoses=diagnoses)


_PAGE = """# Exercises

{count} exercises, about {hours:.0f} hours in all; {diagnoses} of them diagnose a run from its log. Open a notebook after its
lesson, write your answers into it, and ask:

- `q1.check()`: *not attempted*, *wrong* (with the mistake that is most likely behind it), or *right* (with why it matters);
- `q1.hint()`, then `q1.hint(2)`; `q1.solution()` when you have had enough;
- `progress()`: what is solved. It is kept in `exercises/.progress.json` in your own copy, and nothing is sent anywhere.

Difficulty is 1 to 3. Solutions are in `solutions/`.

| exercise | lesson | difficulty | minutes | kind |
|---|---|---|---|---|
{rows}

Afterwards: [the capstone](capstone.md), which takes your own images from SFT to a report. When something looks wrong:
[from symptoms to lessons](troubleshooting.md). For those who teach: [the instructor's page](instructors.md).

This page and the notebooks are generated from `source/` by `make exercises`; change them there.
"""


def write_stamp(exercises: Path) -> None:
    """Record the fingerprints of the source and of what was generated from it."""
    (exercises / "source" / "generated.json").write_text(json.dumps(fingerprints(exercises), indent=1) + "\n", encoding="utf-8")


def out_of_step(exercises: Path) -> list[str]:
    """Files that changed, came or went since the last ``make exercises``; empty if source and generated files fit."""
    recorded = json.loads((exercises / "source" / "generated.json").read_text(encoding="utf-8"))
    now = fingerprints(exercises)
    return sorted(name for name in recorded.keys() | now.keys() if recorded.get(name) != now.get(name))


def fingerprints(exercises: Path) -> dict[str, str]:
    """sha256 of each notebook and the index, by its path; line ends don't count."""
    files = [*sorted(exercises.glob("*.ipynb")), *sorted(exercises.glob("so*/*.ipynb")), exercises / "README.md"]
    return {
        file.relative_to(exercises).as_posix(): hashlib.sha256(file.read_text(encoding="utf-8").encode()).hexdigest()
        for file in files
    }
