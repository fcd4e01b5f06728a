"""Making and grading the exercises with nbgrader, in the instructor's environment (`make instructor`; `make soak` runs it)."""

import shutil
import subprocess

import pandas as pd
import pytest

from helpers.course import INSTRUCTOR_PYTHON
from helpers.exercises import EXERCISES, SOLUTIONS, SOURCE, entries_of, fingerprints, notebooks
from helpers.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not INSTRUCTOR_PYTHON.exists(), reason="nbgrader is not set up: make instructor"),
]
POINTS = {name: sum(entry.difficulty for entry in entries_of(SOURCE / f"{name}.ipynb")) for name in notebooks()}


def instructor(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(INSTRUCTOR_PYTHON), "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_making_them_anew_gives_what_is_committed(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "exercises" / "source", ignore=shutil.ignore_patterns("generated.json"))
    done = instructor("helpers.exercises.generate", str(tmp_path / "exercises"))
    assert done.returncode == 0, done.stderr
    assert fingerprints(tmp_path / "exercises") == fingerprints(EXERCISES)


def test_full_marks_for_the_solutions_and_none_for_the_blanks(tmp_path):
    for student, folder in (("Ada L. +1", SOLUTIONS), ("nobody", EXERCISES)):
        (tmp_path / student).mkdir()
        for name in notebooks():
            shutil.copy(folder / f"{name}.ipynb", tmp_path / student)
    (tmp_path / "hasty").mkdir()
    (tmp_path / "hasty" / "01_quantization_memory.ipynb").write_text("{")
    blank = (EXERCISES / "05_dpo_preferences.ipynb").read_text(encoding="utf-8")
    answered = blank.replace('"loss = (\\n",\n    "    ...  # your answer here\\n",', '"loss = (\\n",\n    "    0.6931\\n",')
    assert answered != blank
    (tmp_path / "hasty" / "05_dpo_preferences.ipynb").write_text(answered, encoding="utf-8")

    done = instructor("helpers.exercises.grade", str(tmp_path))
    assert done.returncode == 0, done.stderr
    grades = pd.read_csv(tmp_path / "grades.csv", keep_default_na=False).set_index(["student", "notebook"])
    for name, most in POINTS.items():
        assert grades.loc[("Ada L. +1", name), ["points", "of", "note"]].tolist() == [most, most, ""]
        assert grades.loc[("nobody", name), ["points", "of", "note"]].tolist() == [0, most, ""]
    assert grades.loc[("hasty", "05_dpo_preferences"), "points"] == 1
    assert "not a notebook" in grades.loc[("hasty", "01_quantization_memory"), "note"]
    assert grades.loc[("hasty", "04_sft_chartqa"), "note"] == "not handed in"
    assert f"{sum(POINTS.values())}" in done.stdout


def test_grading_nothing_says_what_is_expected(tmp_path):
    for arguments in ([""], [str(tmp_path / "nowhere")], [str(tmp_path)]):
        done = instructor("helpers.exercises.grade", *arguments)
        assert done.returncode == 2
        assert "<student>/<NN_name>.ipynb" in done.stderr
