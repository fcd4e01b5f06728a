"""Fixtures that several tests share."""

from pathlib import Path

import pytest

from helpers.paths import ROOT

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
