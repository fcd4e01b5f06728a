"""Make the exercises as handed out, their solutions and the index from one source. Needs nbgrader (``make exercises``).

``exercises/source/NN_name.ipynb`` is in nbgrader's source format. Its own preprocessors, in the order of its
``generate_assignment``, make ``exercises/NN_name.ipynb`` (blanks, hidden tests stripped) and
``exercises/solutions/NN_name.ipynb`` (hidden tests kept: run headless, it fails if a solution is wrong).
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from traitlets.config import Config

from helpers.exercises.exercise import EXERCISES
from helpers.exercises.index import index_of, write_stamp

STUB = "...  # your answer here"  # runs as it stands, in an expression and as a function's body
BLANKS = (LockCells, ClearSolutions, ClearOutput, ClearHiddenTests, ClearMarkScheme, ComputeChecksums, CheckCellMetadata)
SOLUTIONS = (LockCells, ClearOutput, ClearMarkScheme, CheckCellMetadata)


def nbgrader_config() -> Config:
    """The one setting in which the course differs from nbgrader's defaults: a blank doesn't raise."""
    return Config({"ClearSolutions": {"code_stub": {"python": STUB}}})


def generate(exercises: Path = EXERCISES) -> list[Path]:
    """Write both sets, the index and the stamp that the tests compare; returns the notebooks."""
    logging.getLogger("traitlets").setLevel("ERROR")
    sources, written = sorted((exercises / "source").glob("*.ipynb")), []
    for source in sources:
        for folder, steps in ((exercises, BLANKS), (exercises / "solutions", SOLUTIONS)):
            folder.mkdir(exist_ok=True)
            nbformat.write(_through(source, steps), folder / source.name)
            written.append(folder / source.name)
    (exercises / "README.md").write_text(index_of(sources), encoding="utf-8")
    write_stamp(exercises)
    return written


def _through(source: Path, steps: Sequence[type]) -> nbformat.NotebookNode:
    notebook, resources = nbformat.read(source, as_version=4), {}
    for step in steps:
        notebook, resources = step(config=nbgrader_config()).preprocess(notebook, resources)
    return notebook


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else EXERCISES
    for path in generate(folder):
        print(path.relative_to(folder.parent))
