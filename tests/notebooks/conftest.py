"""Runs of lessons that several tests look at."""

import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest

from helpers.paths import NOTEBOOKS


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
def kept_seeds() -> Callable[..., dict[str, np.ndarray]]:
    """Figures of lessons over several seeds as they are committed: an array for each. Skips without them."""
    from helpers.course import read_seeds

    def of(*lessons: str) -> dict[str, np.ndarray]:
        kept = [found for found in read_seeds(*lessons) if found.place.startswith("notebooks")]
        if not kept:
            numbers = ",".join(lesson[:2] for lesson in lessons)
            pytest.skip(f"not measured yet: python -m helpers seeds --lessons {numbers} --keep")
        assert not kept[0].commit.endswith("+"), "measured with files that were not committed"
        return {name: np.array(values) for figures in kept[0].figures.values() for name, values in figures.items()}

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
