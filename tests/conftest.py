"""Fixtures that several tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from helpers.paths import NOTEBOOKS, ROOT

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


@pytest.fixture(scope="session")
def recorded(tmp_path_factory) -> Callable[[str], dict]:
    """A lesson's recorded figures, by its name: those that its nbmake test has left in this session, or else a run of it.

    Both use the small values of ``metadata.nbmake.mock``. Tests with this fixture come last (see the other conftest.py).
    """
    from helpers.course import read_results, run

    ran = {}

    def of(name: str) -> dict:
        left = ran | read_results(Path(os.environ["COURSE_OUT"]) / "results.json")["lessons"]
        if name not in left:
            cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
            small = next(cell.metadata.nbmake.mock for cell in cells if "nbmake" in cell.metadata)
            before, out = os.environ["COURSE_OUT"], tmp_path_factory.mktemp(name)
            try:
                assert run([name], "tiny", dict(small), out=str(out)) == 0
            finally:
                os.environ["COURSE_OUT"] = before  # the runner sets it for the kernels that it starts
            ran.update(read_results(out / "results.json")["lessons"])
            left = ran
        return left[name]

    return of


@pytest.fixture(scope="session")
def taught(tmp_path_factory) -> Path:
    """The folder of a run of lesson 04 with a third of its steps: what it learnt, recorded and kept."""
    from helpers.__main__ import main

    out = tmp_path_factory.mktemp("taught")
    settings = ("MAX_STEPS=80", "N_TEST=300", "N_VAL=64", "EVAL_STEPS=40")
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["run", "04", "--profile", "tiny", "--out", str(out), *words]) == 0
    return out


@pytest.fixture
def named_or_skipped(capsys) -> Callable[[Callable, Path, str], None]:
    """A check of a loader on twelve rows of which number 6 is bad: it is named, in these words, or skipped and said so."""

    def check(load: Callable, folder: Path, words: str) -> None:
        from helpers.data import BadRowError

        with pytest.raises(BadRowError, match=words) as caught:
            load(folder, "train")
        assert caught.value.row == 6
        assert len(load(folder, "train", on_error="skip")) == 11
        printed = capsys.readouterr().out
        assert "skipped 1 of 12" in printed
        assert "row 6" in printed

    return check
