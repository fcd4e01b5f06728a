"""One setting writes badges and set-up cells; all lessons and the README agree with it, whether it is empty or not."""

import ast
import json

import nbformat
import pytest

from helpers.course import (
    TAG,
    badges,
    colab,
    course_address,
    find_lessons,
    readme_badges,
    setup_code,
    setup_text,
    with_readme_badges,
    with_setup,
)
from helpers.paths import ROOT

ADDRESS = "https://github.com/me/course"
LESSONS = find_lessons()


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_lesson_has_the_set_up_that_the_setting_gives(lesson):
    before = nbformat.read(lesson.path, as_version=4)
    after = with_setup(nbformat.read(lesson.path, as_version=4), f"notebooks/{lesson.path.name}", course_address())
    assert before == after, "run: python -m helpers.course.launch"


def test_the_readme_agrees_with_the_setting():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_readme_badges(text, course_address()) == text, "run: python -m helpers.course.launch"
    assert text.count(f"]({ADDRESS}") == 0
    with pytest.raises(ValueError, match="needs the marks"):
        with_readme_badges("no marks", ADDRESS)


def test_with_an_address_there_are_badges_and_the_cell_fetches_the_course():
    line = badges("notebooks/04_sft_chartqa.ipynb", ADDRESS)
    assert "https://colab.research.google.com/github/me/course/blob/main/notebooks/04_sft_chartqa.ipynb" in line
    assert "kaggle.com/kernels/welcome?src=https://github.com/me/course/blob/main/notebooks/04_sft_chartqa.ipynb" in line
    assert "https://codespaces.new/me/course" in line
    assert line.count("[![Open in ") == 3, "each picture has its alt text"
    assert f'"{ADDRESS}"' in setup_code(ADDRESS)
    assert readme_badges(ADDRESS).count("[![Open in Colab]") == len(LESSONS)
    assert "Colab" in with_readme_badges((ROOT / "README.md").read_text(encoding="utf-8"), ADDRESS)


def test_without_an_address_there_is_no_badge_and_no_invented_address():
    assert badges("notebooks/x.ipynb", "") == ""
    assert readme_badges("") == ""
    assert "http" not in setup_code("") + setup_text("notebooks/x.ipynb", "")
    assert badges("notebooks/x.ipynb", "https://example.org/me/course") == "", "Colab opens notebooks of GitHub alone"


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_writing_twice_is_writing_once_and_changing_the_address_leaves_nothing_behind(address):
    notebook = nbformat.read(LESSONS[0].path, as_version=4)
    once = with_setup(notebook, "notebooks/x.ipynb", ADDRESS)
    again = with_setup(nbformat.from_dict(json.loads(json.dumps(once))), "notebooks/x.ipynb", address)
    assert sum(TAG in cell.metadata.get("tags", ()) for cell in again.cells) == 1
    assert (ADDRESS in json.dumps(again)) == bool(address)
    nbformat.validate(again)


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_a_lesson_with_an_extra_names_it_in_its_cell(address):
    assert setup_code(address).endswith("prepare()")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# title")], metadata={"course": {"extras": ["serving"]}}
    )
    made = with_setup(notebook, "notebooks/x.ipynb", address)
    assert made.cells[2].source.endswith('prepare("serving")')
    assert "but for the extra" in made.cells[1].source


def test_a_lesson_without_the_section_gets_it_after_its_title():
    cells = [nbformat.v4.new_markdown_cell("# title"), nbformat.v4.new_code_cell("1")]
    made = with_setup(nbformat.v4.new_notebook(cells=cells), "notebooks/x.ipynb", "")
    assert [cell.source.splitlines()[0] for cell in made.cells] == ["# title", "## Set-up", "import importlib.util", "1"]


def test_the_cell_fetches_once_and_runs_twice(tmp_path, monkeypatch):
    """On a runtime without the course: git is called, once, and the course's own logic takes over."""
    git = []
    (tmp_path / "course").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("subprocess.run", lambda command, **settings: git.append(command))
    prepared = []
    monkeypatch.setattr(colab, "prepare", lambda: prepared.append(1))
    path = list(__import__("sys").path)
    monkeypatch.setattr("sys.path", path)
    exec(setup_code(ADDRESS), {})
    assert git == []
    (tmp_path / "course").rmdir()
    exec(setup_code(ADDRESS), {})
    assert git == [["git", "clone", "--depth", "1", ADDRESS, "course"]]
    assert prepared == [1, 1]
    assert path[0] == str(tmp_path / "course")


def test_the_cell_without_an_address_says_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="make setup"):
        exec(setup_code(""), {})


def test_the_logic_behind_the_cell_needs_only_the_standard_library_until_it_is_asked():
    top = ast.parse((ROOT / "helpers" / "course" / "colab.py").read_text(encoding="utf-8")).body
    modules = {alias.name.split(".")[0] for node in top if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module.split(".")[0] for node in top if isinstance(node, ast.ImportFrom)}
    assert modules <= set(__import__("sys").stdlib_module_names)


def test_the_devcontainer_uses_the_environment_that_make_builds():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"] == "make setup"
    assert container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"].endswith(".venv/bin/python")
