"""For tests and notebooks alike: what they write stays out of the learner's own folders and results."""

import atexit
import os
import shutil
import tempfile

import pytest

from helpers.environment import caches
from helpers.paths import ROOT

# Before any test module imports the libraries that read these; nbmake's kernels inherit them.
_OUT = tempfile.mkdtemp(prefix="course-test-")
os.environ.update(caches(), HF_HUB_OFFLINE="1", COURSE_OUT=_OUT, COURSE_PROGRESS=os.path.join(_OUT, "progress.json"))
atexit.register(shutil.rmtree, _OUT, ignore_errors=True)
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # one worker a core: with more threads they would wait for each other
collect_ignore = ["exercises/source"]  # generated from it are the two sets that are run


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups, and before -m reads the marks
def pytest_collection_modifyitems(items):
    """Who runs beside whom under pytest-xdist, and in which order.

    The notebooks stay together and in order, since a lesson may start from what an earlier one made. Tests of recorded
    figures follow them: they read what the notebooks' own tests leave, instead of running lessons anew. Tests of what was
    taught share one training, and every other file stays together for the sake of its fixtures. The exercises run in kernels
    of their own only in the soak test: tests/test_exercises.py runs their cells in its process.
    """
    for item in items:
        if item.path.is_relative_to(ROOT / "exercises"):
            item.add_marker(pytest.mark.slow)
        group = "lessons" if _of_lessons(item) else "taught" if "taught" in _fixtures(item) else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (not _of_lessons(item), "recorded" in _fixtures(item), "taught" not in _fixtures(item)))


def _of_lessons(item) -> bool:
    return item.path.suffix == ".ipynb" or "recorded" in _fixtures(item)


def _fixtures(item) -> tuple[str, ...]:
    return getattr(item, "fixturenames", ())
