"""Fixtures, and an environment that keeps everything the tests write out of the learner's own folders."""

import os
import tempfile
from pathlib import Path

import pytest

from helpers.environment import caches
from helpers.paths import ROOT

# Before any test module imports the libraries that read these; nbmake's kernels inherit them.
os.environ.update(caches(), HF_HUB_OFFLINE="1", COURSE_OUT=tempfile.mkdtemp(prefix="course-test-"))

SHARED = ROOT.parent / "shared"


@pytest.fixture
def shared() -> Path:
    """The reference material beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this checkout: real charts and published figures are not part of the course")
    return SHARED


@pytest.fixture(scope="session")
def processor():
    from helpers.models import load_processor

    return load_processor("embedded")


@pytest.fixture(scope="session")
def model():
    from helpers.models import load_model

    return load_model("embedded")
