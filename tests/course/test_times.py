"""The README's times are a run's: read from executed notebooks, written into the table's rows and nowhere else."""

import nbformat
import pytest

from helpers.course import find_lessons, times


def executed(path, **papermill):
    notebook = nbformat.v4.new_notebook(metadata={"papermill": papermill})
    nbformat.write(notebook, path)


def test_times_come_from_lessons_that_ended_well(tmp_path):
    executed(tmp_path / "00_fine.ipynb", duration=12.3, exception=None)
    executed(tmp_path / "01_broken.ipynb", duration=3.0, exception=True)
    assert times.lesson_seconds(tmp_path) == {"00_fine": 12.3}


def test_every_lesson_has_a_row_whose_third_column_is_written():
    readme = times.README.read_text(encoding="utf-8")
    lessons = [lesson.name for lesson in find_lessons() if not lesson.name.startswith("bonus_")]
    written = times.with_times(readme, {lesson: 1000.4 + at for at, lesson in enumerate(lessons)})
    for at, lesson in enumerate(lessons):
        row = next(line for line in written.splitlines() if f"](notebooks/{lesson}.ipynb) |" in line)
        assert row.split(" | ")[2] == f"{1000 + at} seconds, measured"
    changed = [line for line, before in zip(written.splitlines(), readme.splitlines(), strict=True) if line != before]
    assert len(changed) == len(lessons)


def test_a_folder_without_a_run_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="make course"):
        times.write_times(str(tmp_path))
