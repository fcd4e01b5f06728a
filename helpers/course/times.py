"""How long lessons took: in a run, as its executed notebooks say, and in the README's run."""

import json
from pathlib import Path

import nbformat

from helpers.paths import MEASURED


def lesson_seconds(folder: Path) -> dict[str, float]:
    """Wall time of each lesson that the run in ``folder`` executed, as papermill wrote it into the notebook."""
    seconds = {}
    for path in sorted(folder.glob("*.ipynb")):
        written = nbformat.read(path, as_version=4).metadata.get("papermill", {})
        if written.get("exception") is None and written.get("duration"):
            seconds[path.stem] = written["duration"]
    return seconds


def read_measured() -> dict:
    """What :func:`helpers.course.keep_measured` kept of the README's run."""
    return json.loads((MEASURED / "results.json").read_text(encoding="utf-8"))


def expected_seconds(names: list[str], folder: Path, profile: str) -> tuple[dict[str, float], str]:
    """Time of each of those lessons in the last run into ``folder``, or, where one is missing there, in the README's run (which
    was of the profile ``tiny``); and words for which of the two. Empty if there is neither."""
    last = lesson_seconds(folder)
    if set(names) <= set(last):
        return {name: last[name] for name in names}, "they took last time here"
    measured = read_measured()["seconds"] if profile == "tiny" else {}
    return {name: measured[name] for name in names if name in measured}, "they took in the README's run"
