"""Lessons with a tiny random model of another family in place of the embedded one, in the small values of their tests.

``python -m tests.notebooks.family_lessons [FAMILY ...]`` runs them all and writes ``docs/families.md``, row by row.
"""

import os
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import nbformat

from helpers.course import run
from helpers.paths import NOTEBOOKS, ROOT
from tests.models.families import FAMILIES, build

PAGE = ROOT / "docs" / "families.md"
LESSONS = sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))
HEAD = """# Model families that the lessons were run on

Each row is a tiny model of that family with *random* weights (`tests/models/families.py`: its own classes, processor and chat
template, two layers in tower and text model), taken through the lessons by the runner with the small values of the lessons' own
tests, in float32. It shows that the code serves the family, not how well a released model learns. A number is the lesson's
seconds on one CPU core, with other work beside it: an upper bound.

"""

# What the installed libraries can't do.
CANNOT = {
    ("llava_onevision", "08_grpo_rewards"): (
        "TRL's GRPO trainer passes all that the processor returns to its loss, which doesn't know `batch_num_images`."
    ),
    ("pixtral", "08_grpo_rewards"): (
        "TRL's GRPO trainer asks the processor for the prompts' tokens without padding, and Pixtral's makes tensors of\n"
        "  them by default: it stops where two pictures of a batch have different sizes."
    ),
}


def small_values(lesson: str, folder: str) -> dict:
    """Those of the lesson's own test, with the family's model wherever the lesson takes one (05 takes what 04 has made)."""
    cells = nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4).cells
    parameters = next(cell for cell in cells if "parameters" in cell.metadata.get("tags", ()))
    models = [name for name in ("MODEL", "PLAN_MODEL") if f"\n{name} = " in parameters.source]
    short = {"OVERFIT_STEPS": 2} if lesson.startswith("06") else {}  # what is random has nothing to learn by heart
    return parameters.metadata.nbmake.mock | {"PROFILE": "tiny"} | short | dict.fromkeys(models, folder)


def run_lessons(folder: str, lessons: list[str], out: Path) -> dict[str, float]:
    """Seconds of each lesson that ended without an error, one after the other in one run's folder."""
    before, seconds = os.environ.get("COURSE_OUT"), {}
    try:
        for lesson in lessons:
            began = time.monotonic()
            if run([lesson], "tiny", small_values(lesson, folder), out=str(out)) == 0:
                seconds[lesson] = time.monotonic() - began
    finally:
        if before is not None:
            os.environ["COURSE_OUT"] = before  # the runner sets it for the kernels that it starts
    return seconds


def main(names: list[str]) -> None:
    """Run the lessons for ``names``, all families by default; their rows replace those that the page has."""
    page = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    rows = {line.split("|")[1].strip(): line for line in page if line.startswith("| ")}
    known = [make.__name__ for make in FAMILIES]
    with tempfile.TemporaryDirectory() as place:
        for name in names or known:
            seconds = run_lessons(build(name, Path(place) / name), LESSONS, Path(place) / f"out of {name}")
            cells = [f"{seconds[lesson]:.0f}" if lesson in seconds else _missing(name, lesson) for lesson in LESSONS]
            rows[name] = f"| {name} | {' | '.join(cells)} |"
            write_page([rows[family] for family in known if family in rows])


def _missing(family: str, lesson: str) -> str:
    return "no" if (family, lesson) in CANNOT else "**failed**"


def write_page(rows: list[str]) -> None:
    table = [f"| family | {' | '.join(lesson[:2] for lesson in LESSONS)} |", f"|---{'|---' * len(LESSONS)}|", *rows]
    why = "".join(f"\n- {family}, {lesson[:2]}: {reason}" for (family, lesson), reason in CANNOT.items())
    versions = ", ".join(f"{name} {version(name)}" for name in ("transformers", "trl", "peft", "torch"))
    PAGE.write_text(
        f"{HEAD}{chr(10).join(table)}\n\nWhat can't be:\n{why}\n\nRun on {date.today()} with {versions}.\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
