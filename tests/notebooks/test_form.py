"""A static gate for every notebook: what can be said about it without running it."""

import ast
import re
import sys
import tomllib

import nbformat
import pytest
from packaging.requirements import Requirement

from helpers.course import colab
from helpers.paths import ROOT

NOTEBOOKS = sorted([*ROOT.glob("notebooks/**/*.ipynb"), *ROOT.glob("exercises/**/*.ipynb")])
LESSONS = [path for path in NOTEBOOKS if path.parent == ROOT / "notebooks"]
DOCUMENTS = [*NOTEBOOKS, *ROOT.glob("*.md"), *ROOT.glob("exercises/**/*.md"), *ROOT.glob("helpers/embedded/**/*.md")]
IMPORT_NAMES = {"pillow": "PIL", "huggingface-hub": "huggingface_hub", "pyyaml": "yaml"}


def named(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(params=NOTEBOOKS, ids=named)
def notebook(request):
    read = nbformat.read(request.param, as_version=4)
    nbformat.validate(read)
    return read


def names_in(line: str) -> set[str]:
    """The package that a requirement names, and those that its extras bring."""
    return {Requirement(one).name.lower() for one in (line, *colab.brought_by(line))}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_lessons():
    assert LESSONS


def test_no_outputs_and_no_widget_state(notebook):
    assert not any(cell.outputs or cell.execution_count for cell in code_cells(notebook))
    assert "widgets" not in notebook.metadata


def test_cells_parse_and_import_only_what_is_declared(notebook):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = notebook.metadata.get("course", {}).get("extras", ())  # of this lesson alone: its set-up cell names them
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    declared = {name for line in lines for name in names_in(line)}
    allowed = {IMPORT_NAMES.get(name, name) for name in declared} | {"helpers"} | set(sys.stdlib_module_names)
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                assert module.split(".")[0] in allowed, f"{module} is imported but not declared in pyproject.toml"


def test_kernel_is_named(notebook):
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.kernelspec.language == "python"


@pytest.mark.parametrize("path", LESSONS, ids=named)
def test_one_parameters_cell_and_its_small_values_for_tests(path):
    cells = [c for c in code_cells(nbformat.read(path, as_version=4)) if "parameters" in c.metadata.get("tags", ())]
    assert len(cells) == 1
    assigned = {target.id for node in ast.parse(cells[0].source).body for target in getattr(node, "targets", ())}
    assert "PROFILE" in assigned
    assert set(cells[0].metadata.get("nbmake", {}).get("mock", {})) <= assigned


@pytest.mark.parametrize("path", LESSONS, ids=named)
def test_shape_of_a_lesson(path):
    lesson = nbformat.read(path, as_version=4)
    lengths = [len(cell.source.splitlines()) for cell in code_cells(lesson)]
    assert max(lengths) <= 40
    assert path.stat().st_size <= 65_000
    assert lesson.cells[0].source.startswith("# ")


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_links_between_files_resolve(path):
    if path.suffix == ".ipynb":
        text = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("#"):
            assert (path.parent / target.split("#")[0]).exists(), f"{named(path)} links to {target}, which is not there"


def test_pictures_have_alt_text():
    for path in DOCUMENTS:
        if path.suffix == ".md":
            assert "![](" not in path.read_text(encoding="utf-8"), f"{named(path)}: a picture without alt text"
    for path in LESSONS:
        for cell in code_cells(nbformat.read(path, as_version=4)):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "plots.show":
                    assert "alt" in {keyword.arg for keyword in node.keywords}, f"{path.name}: a plot without alt text"


def test_committed_files_are_small():
    for path in [*ROOT.glob("helpers/**/*"), *ROOT.glob("notebooks/**/*")]:
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.stat().st_size < 8_000_000, named(path)
