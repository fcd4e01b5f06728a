"""The tiny model of each family, built when a test first asks for it."""

import pytest

from helpers.models import load_model, load_processor
from tests.models.families import FAMILIES, build


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory):
    """The folder of a family's model, built when it is first asked for."""
    root, built = tmp_path_factory.mktemp("families"), {}

    def folder(family: str) -> str:
        if family not in built:
            built[family] = build(family, root / family)
        return built[family]

    return folder


@pytest.fixture(params=[make.__name__ for make in FAMILIES])
def family(request):
    return request.param


@pytest.fixture
def opened(family, family_folder):
    folder = family_folder(family)
    return folder, load_model(folder), load_processor(folder)
