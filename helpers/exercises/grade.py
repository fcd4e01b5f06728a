"""Grade handed-in exercises with nbgrader's own autograde: ``make grade SUBMISSIONS=DIR``, a table and ``DIR/grades.csv``.

``DIR/<student>/<NN_name>.ipynb``. Every answer is run: grade strangers' notebooks in a container.
"""

import logging
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pandas as pd
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from helpers.exercises.exercise import SOURCE
from helpers.exercises.generate import nbgrader_config
from helpers.paths import ROOT, use_caches

_CELL_TIMEOUT_SECONDS = 900  # the experiments train


@dataclass(frozen=True)
class Grade:
    """``note``: why there are no points, where no answer is to blame."""

    student: str
    notebook: str
    points: float
    of: float
    note: str = ""


def grade(submissions: Path, source: Path = SOURCE) -> list[Grade]:
    """A grade for each student and notebook. ValueError if the folder holds no student."""
    students = sorted(folder.name for folder in submissions.glob("*") if folder.is_dir() and not folder.name.startswith("."))
    if not students:
        raise ValueError(f"{submissions} holds no folder of a student: it is DIR/<student>/<NN_name>.ipynb")
    names = sorted(path.stem for path in source.glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as course:
        # The kernels inherit these: the course is found, and the instructor's own caches and progress stay as they are.
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        use_caches()
        os.environ.update(HF_HUB_OFFLINE="1", PYTHONPATH=paths, COURSE_PROGRESS=f"{course}/progress.json")
        # nbgrader calls alembic by its name, and an environment that isn't activated isn't on the path.
        os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        api = _open_course(Path(course), names, source)
        for number, student in enumerate(students):  # nbgrader's ids are plain; a folder may be called anything
            _hand_in(Path(course), f"s{number}", submissions / student, names)
        return [
            _grade(api, f"s{number}", student, submissions / student / f"{name}.ipynb", name)
            for number, student in enumerate(students)
            for name in names
        ]


def _open_course(course: Path, names: list[str], source: Path) -> NbGraderAPI:
    """nbgrader's course folder and gradebook with every assignment in it, hidden tests included."""
    config = nbgrader_config()
    config.merge(Config({"CourseDirectory": {"root": str(course)}, "Execute": {"timeout": _CELL_TIMEOUT_SECONDS}}))
    logging.getLogger("traitlets").setLevel("ERROR")
    api = NbGraderAPI(config=config, log_level="ERROR")
    for name in names:
        (course / "source" / name).mkdir(parents=True)
        shutil.copy(source / f"{name}.ipynb", course / "source" / name)
        done = api.generate_assignment(name)
        if not done["success"]:
            raise RuntimeError(f"nbgrader can't read source/{name}.ipynb:\n{done.get('error') or done.get('log')}")
    return api


def _hand_in(course: Path, student_id: str, folder: Path, names: list[str]) -> None:
    for name in names:
        if _problem(folder / f"{name}.ipynb") == "":
            target = course / "submitted" / student_id / name
            target.mkdir(parents=True)
            shutil.copy(folder / f"{name}.ipynb", target)


def _problem(path: Path) -> str:
    if not path.is_file():
        return "not handed in"
    try:
        nbformat.validate(nbformat.read(path, as_version=4))
    except Exception as error:  # whatever is wrong with it, the others are to be graded
        return f"not a notebook ({type(error).__name__})"
    return ""


def _grade(api: NbGraderAPI, student_id: str, student: str, path: Path, name: str) -> Grade:
    with api.gradebook as book:
        most = book.find_assignment(name).max_score
    if problem := _problem(path):
        return Grade(student, name, 0.0, most, problem)
    done = api.autograde(name, student_id)
    if not done["success"]:
        return Grade(student, name, 0.0, most, f"not graded: {(done.get('error') or done.get('log') or '').strip()[-200:]}")
    with api.gradebook as book:
        return Grade(student, name, book.find_submission(name, student_id).score, most)


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]).expanduser() if arguments and arguments[0] else None
    if folder is None or not folder.is_dir():
        print("error: make grade SUBMISSIONS=DIR, with DIR/<student>/<NN_name>.ipynb", file=sys.stderr)
        return 2
    try:
        grades = pd.DataFrame(grade(folder))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    grades.to_csv(folder / "grades.csv", index=False)
    table = grades.pivot(index="student", columns="notebook", values="points")
    table.columns = [name[:2] for name in table.columns]
    table["all"], table["of"] = table.sum(axis=1), grades.groupby("student")["of"].sum()
    print(table.to_string())
    for row in grades[grades["note"] != ""].itertuples():
        print(f"{row.student}, {row.notebook}: {row.note}")
    print(f"written to {folder / 'grades.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
