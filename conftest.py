"""For tests and notebooks alike: what they write stays out of the learner's own folders and results."""

import atexit
import os
import shutil
import tempfile

from helpers.environment import caches

# Before any test module imports the libraries that read these; nbmake's kernels inherit them.
_OUT = tempfile.mkdtemp(prefix="course-test-")
os.environ.update(caches(), HF_HUB_OFFLINE="1", COURSE_OUT=_OUT)
atexit.register(shutil.rmtree, _OUT, ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Tests of recorded figures come last: they read what the notebooks' own tests leave, instead of running lessons anew."""
    items.sort(key=lambda item: "recorded" in getattr(item, "fixturenames", ()))
