"""Colab, Kaggle, Codespaces: writes the set-up cell and the badges of every lesson, and the README's, from one setting.

The setting is ``[tool.course] repository`` in pyproject.toml. Run ``python -m helpers.course.launch`` after changing it, and
after adding a lesson; a test says when that was forgotten.
"""

from collections.abc import Sequence
from pathlib import Path

import nbformat

from helpers.course.marks import with_block
from helpers.course.notebooks import find_lessons
from helpers.course.repository import course_address, file_address, forge
from helpers.paths import NOTEBOOKS, ROOT

TAG = "set-up"  # of the code cell that this module owns; the markdown cell before it begins with "## Set-up"
_TEXT = """\
## Set-up

{badges}The next cell is the same in every lesson{but}. Where the course is installed it installs nothing; {elsewhere}"""
_FETCHES = "on Colab and Kaggle it fetches\nthe course and installs what is missing."
_FETCH = """\
import importlib.util
import pathlib
import subprocess
import sys

if importlib.util.find_spec("helpers") is None:  # on Colab or Kaggle: fetch the course, once
    if not pathlib.Path("course").exists():
        subprocess.run(["git", "clone", "--depth", "1", "{address}", "course"], check=True)
    sys.path.insert(0, str(pathlib.Path("course").resolve()))
from helpers.course import prepare

prepare({extras})"""
_NO_ADDRESS = """\
import importlib.util

if importlib.util.find_spec("helpers") is None:
    raise ModuleNotFoundError("the course is not in this kernel: run `make setup` and pick the kernel of .venv (README)")
from helpers.course import prepare

prepare({extras})"""


def setup_text(notebook: str, address: str, extras: Sequence[str] = ()) -> str:
    """The markdown of a lesson's set-up, with its badges. ``notebook``: its path in the repository."""
    line = badges(notebook, address)
    elsewhere = _FETCHES if address else "elsewhere it says what to do."
    but = ", but for the extra that this one names" if extras else ""
    return _TEXT.format(badges=f"{line}\n\n" if line else "", but=but, elsewhere=elsewhere)


def setup_code(address: str, extras: Sequence[str] = ()) -> str:
    """The set-up cell: the same in every lesson but for its ``extras`` (``metadata.course.extras``) of pyproject.toml."""
    named = ", ".join(f'"{extra}"' for extra in extras)
    return _FETCH.format(address=address, extras=named) if address else _NO_ADDRESS.format(extras=named)


def badges(notebook: str, address: str) -> str:
    """A line of badges that open the notebook elsewhere; empty without an address. Colab and Kaggle open GitHub's alone."""
    if forge(address) != "github":
        return ""
    page = file_address(address, notebook).removeprefix("https://github.com/")
    links = {
        ("Colab", "colab.research.google.com/assets/colab-badge.svg"): f"colab.research.google.com/github/{page}",
        ("Kaggle", "kaggle.com/static/images/open-in-kaggle.svg"): f"kaggle.com/kernels/welcome?src=https://github.com/{page}",
        ("Codespaces", "github.com/codespaces/badge.svg"): f"codespaces.new/{page.split('/blob/')[0]}",
    }
    return " ".join(f"[![Open in {name}](https://{picture})](https://{link})" for (name, picture), link in links.items())


def with_setup(notebook: nbformat.NotebookNode, path: str, address: str) -> nbformat.NotebookNode:
    """The notebook with its two set-up cells as they should be, right after the title. Changes it in place."""
    cells = [cell for cell in notebook.cells if TAG not in cell.metadata.get("tags", ())]
    at = next((i for i, cell in enumerate(cells) if cell.source.startswith("## Set-up")), None)
    if at is None:
        at = 1
        cells.insert(at, nbformat.v4.new_markdown_cell(id="set-up-text"))
    extras = notebook.metadata.get("course", {}).get("extras", ())
    cells[at].source = setup_text(path, address, extras)
    code = nbformat.v4.new_code_cell(setup_code(address, extras), id="set-up-code", metadata={"tags": [TAG]})
    notebook.cells = [*cells[: at + 1], code, *cells[at + 1 :]]
    return notebook


def readme_badges(address: str) -> str:
    """The README's block: a line of badges for each lesson, or nothing."""
    lines = [f"- {lesson.name}: {badges(_in_repository(lesson.path), address)}" for lesson in find_lessons()]
    return "\n".join(lines) if badges("any", address) else ""


def with_readme_badges(text: str, address: str) -> str:
    """The README with the block between its two marks replaced. ValueError if the marks are gone."""
    return with_block(text, "badges", "python -m helpers.course.launch", readme_badges(address))


def _in_repository(path: Path) -> str:
    return f"notebooks/{path.relative_to(NOTEBOOKS).as_posix()}"


def write(address: str) -> None:
    """Bring all lessons and the README in line with the address."""
    for lesson in find_lessons():
        nbformat.write(with_setup(nbformat.read(lesson.path, as_version=4), _in_repository(lesson.path), address), lesson.path)
    readme = ROOT / "README.md"
    readme.write_text(with_readme_badges(readme.read_text(encoding="utf-8"), address), encoding="utf-8")


if __name__ == "__main__":
    write(course_address())
