"""The README's times of the lessons, taken from a run: nobody types them."""

import re
from pathlib import Path

import nbformat

from helpers.paths import ROOT, resolve

README = ROOT / "README.md"


def lesson_seconds(folder: Path) -> dict[str, float]:
    """Wall time of each lesson that the run in ``folder`` executed, as papermill wrote it into the notebook."""
    seconds = {}
    for path in sorted(folder.glob("*.ipynb")):
        written = nbformat.read(path, as_version=4).metadata.get("papermill", {})
        if written.get("exception") is None and written.get("duration"):
            seconds[path.stem] = written["duration"]
    return seconds


def with_times(readme: str, seconds: dict[str, float]) -> str:
    """``readme`` with those times in the table's third column; a lesson without a row in the table changes nothing."""
    for lesson, time in seconds.items():
        row = rf"^(\| \[[^\]]*\]\(notebooks/{lesson}\.ipynb\) \|[^|]*\|)[^|]*\|"
        readme = re.sub(row, rf"\1 {time:.0f} seconds, measured |", readme, flags=re.MULTILINE)
    return readme


def write_times(run: str) -> dict[str, float]:
    """Write the times of ``run`` (a folder such as "runs/tiny") into the README; returns them.

    FileNotFoundError if no lesson was executed there.
    """
    seconds = lesson_seconds(resolve(run))
    if not seconds:
        raise FileNotFoundError(f"{resolve(run)} holds no executed lesson: run `make course` first")
    README.write_text(with_times(README.read_text(encoding="utf-8"), seconds), encoding="utf-8")
    return seconds
