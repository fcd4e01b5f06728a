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


collect_ignore = ["exercises/source"]  # generated from it are the two sets that are run


def pytest_collection_modifyitems(items):
    """Tests of recorded figures come last: they read what the notebooks' own tests leave, instead of running lessons anew.

    The exercises run in kernels of their own only in the soak test: `tests/test_exercises.py` runs their cells in its process.
    """
    for item in items:
        if item.path.is_relative_to(ROOT / "exercises"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: "recorded" in getattr(item, "fixturenames", ()))
