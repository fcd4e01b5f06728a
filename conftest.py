"""For tests and notebooks alike: what they write stays out of the learner's own folders and results."""

import atexit
import os
import shutil
import tempfile

import pytest

from helpers.paths import ROOT, use_caches

# Before any test module imports the libraries that read these; nbmake's kernels inherit them.
_OUT = tempfile.mkdtemp(prefix="course-test-")
use_caches()
os.environ.update(HF_HUB_OFFLINE="1", COURSE_OUT=_OUT, COURSE_PROGRESS=os.path.join(_OUT, "progress.json"))
atexit.register(shutil.rmtree, _OUT, ignore_errors=True)
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # one worker a core: with more threads they would wait for each other
collect_ignore = ["exercises/source"]  # generated from it are the two sets that are run


# Files that read what the notebooks' own tests have recorded, and files that share one training.
_READ_RECORDS = ("test_lesson_06.py", "test_lesson_09.py", "test_lessons_00_02.py", "test_prose_numbers.py")
_SHARE_A_TRAINING = ("test_lesson_04.py", "test_lesson_05.py")


@pytest.hookimpl(tryfirst=True)  # before -m reads the marks
def pytest_collection_modifyitems(items):
    """The longest first. The exercises run in kernels of their own only in the soak test: tests/exercises/test_exercises.py
    runs their cells in its process."""
    for item in items:
        if item.path.is_relative_to(ROOT / "exercises"):
            item.add_marker(pytest.mark.slow)
    order = {"notebooks": 0, "records": 1, "taught": 2}
    items.sort(key=lambda item: order.get(_kind(item.nodeid.split("::")[0]), 3))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Who runs beside whom under pytest-xdist.

    The notebooks stay together and in order, since a lesson may start from what an earlier one made, and tests of recorded
    figures follow them: they read what the notebooks' tests leave, instead of running lessons anew. Every other file stays
    together for the sake of its fixtures. (``--dist loadgroup``, made for this, does nothing under pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            kind = _kind(nodeid.split("::")[0])
            return "lessons" if kind in ("notebooks", "records") else kind

    return Files(config, log)


def _kind(file: str) -> str:
    name = file.rsplit("/", 1)[-1]
    if name.endswith(".ipynb"):
        return "notebooks"
    return "records" if name in _READ_RECORDS else "taught" if name in _SHARE_A_TRAINING else file
