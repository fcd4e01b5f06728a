"""The README's figures are a run's: what stands there is what notebooks/measured has, and nobody types another."""

import json
import re

import nbformat
import pytest

from helpers.course import expected_seconds, find_lessons, keep_measured, lesson_seconds, measured, read_measured, with_measured

TEXT = measured.README.read_text(encoding="utf-8")
# Numbers in the README's own words that are not measured: versions, the profiles' GPUs, the split, the licence.
TYPED = {"3.11", "3.12", "3.13", "2.2", "80/10/10", "2.0", "16 GB", "24 GB"}


def executed(path, **papermill):
    nbformat.write(nbformat.v4.new_notebook(metadata={"papermill": papermill}), path)


def test_times_come_from_lessons_that_ended_well(tmp_path):
    executed(tmp_path / "00_fine.ipynb", duration=12.3, exception=None)
    executed(tmp_path / "01_broken.ipynb", duration=3.0, exception=True)
    assert lesson_seconds(tmp_path) == {"00_fine": 12.3}
    assert expected_seconds(["00_fine"], tmp_path, "tiny") == ({"00_fine": 12.3}, "they took last time here")
    times, where = expected_seconds(["00_meet_the_model"], tmp_path, "tiny")
    assert (list(times), where) == (["00_meet_the_model"], "they took in the README's run")
    assert expected_seconds(["00_meet_the_model"], tmp_path, "gpu")[0] == {}


def test_the_readme_has_what_was_measured():
    assert with_measured(TEXT, read_measured()) == TEXT, "run: python -m helpers measured"
    for key in ("commit", "date", "machine", "seconds", "setup", "lessons", "environment"):
        assert read_measured()[key]


def test_no_other_figure_is_typed_into_it():
    own = re.sub(r"<!-- measured.*?end of measured -->", "", TEXT, flags=re.DOTALL)
    own = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|!\[[^\]]*\]", "", own, flags=re.DOTALL)
    own = "\n".join(line for line in own.splitlines() if "](notebooks" not in line and not line.startswith("| ["))
    figures = re.findall(r"\d+(?:[.,/]\d+)+|\d+ ?%|\d+ (?:seconds|minutes|MB|GB)", own)
    assert set(figures) <= TYPED


def test_two_commands_are_on_the_first_screen_and_it_is_short():
    lines = TEXT.splitlines()
    assert {"make course", "make test"} <= {line.split("   ")[0].strip() for line in lines[:25]}
    assert len(lines) <= 180


def test_every_lesson_has_a_row_whose_time_is_written():
    kept = read_measured()
    lessons = [lesson.name for lesson in find_lessons() if not lesson.name.startswith("bonus_")]
    written = with_measured(TEXT, kept | {"seconds": {lesson: 1000.4 + at for at, lesson in enumerate(lessons)}})
    for at, lesson in enumerate(lessons):
        row = next(line for line in written.splitlines() if f"](notebooks/{lesson}.ipynb) |" in line and "16 min" in line)
        assert row.split(" | ")[2] == f"16 min {40 + at} s"
    with pytest.raises(ValueError, match="needs the marks"):
        with_measured("no marks", kept)


def test_a_run_is_kept_with_commit_day_and_machine(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="make course"):
        keep_measured(str(tmp_path))
    monkeypatch.setattr(measured, "MEASURED", tmp_path / "kept")
    monkeypatch.setattr(measured, "README", tmp_path / "README.md")
    measured.README.write_text(TEXT, encoding="utf-8")
    executed(tmp_path / "04_sft_chartqa.ipynb", duration=71.0, exception=None)
    results = {"lessons": {"04_sft_chartqa": read_measured()["lessons"]["04_sft_chartqa"] | {"sft_relaxed_accuracy": 0.8765}}}
    (tmp_path / "results.json").write_text(json.dumps(results | {"environment": {"profile": "tiny"}}), encoding="utf-8")
    keep_measured(str(tmp_path))
    kept = json.loads((measured.MEASURED / "results.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"[0-9a-f]{40}\+?", kept["commit"])
    assert re.match(r"\d{4}-\d\d-\d\dT", kept["date"])
    assert "cores of" in kept["machine"]
    assert "0.88" in measured.README.read_text(encoding="utf-8")
