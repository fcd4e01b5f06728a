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
    """The check of the prose comes last: it reads the figures that the notebooks' tests leave, instead of running them anew."""
    items.sort(key=lambda item: "test_prose_numbers" in item.nodeid)
