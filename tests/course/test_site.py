"""What goes into the book's pages, and when there is none. How they look: tests/site."""

import re
import shutil
import subprocess
from functools import partial

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.course import (
    Links,
    SiteError,
    build_site,
    lesson_page,
    measuring_cells,
    site,
    write_contact_sheet,
)
from helpers.paths import ROOT
from tests.site.example_run import picture

ADDRESS = "https://github.com/me/course"


def links(address=""):
    return Links({"README.md", "notebooks/04_sft_chartqa.ipynb"}, address)


@pytest.mark.parametrize(
    ("text", "here", "there"),
    [
        ("[a](../README.md#x)", "[a](../README.md#x)", "[a](../README.md#x)"),
        ("[a](#x) [b](https://example.org)", "[a](#x) [b](https://example.org)", "[a](#x) [b](https://example.org)"),
        ("[the `law`](../LICENSE)", "{download}`the law <../sources/LICENSE>`", f"[the `law`]({ADDRESS}/blob/main/LICENSE)"),
        ("[all](../tests)", "all", f"[all]({ADDRESS}/blob/main/tests)"),
        ("`[a](../LICENSE)`", "`[a](../LICENSE)`", "`[a](../LICENSE)`"),
        (
            "[![Open in X](https://x.org/b.svg)](https://x.org/y)",
            "[Open in X](https://x.org/y)",
            "[Open in X](https://x.org/y)",
        ),
    ],
)
def test_links_hold_with_and_without_an_address(text, here, there):
    assert links().rewrite(text, "notebooks/x.ipynb") == here
    assert links(ADDRESS).rewrite(text, "notebooks/x.ipynb") == there


def test_a_link_to_nothing_is_an_error():
    with pytest.raises(ValueError, match="not in the repository"):
        links().rewrite("[a](nowhere.md)", "README.md")


def test_each_picture_keeps_its_alt_text_and_tables_lose_their_own_style():
    table = '<style type="text/css">\n</style>\n<table id="T_1"><tr><th class="blank">&nbsp;</th><th>a</th></tr></table>'
    cell = new_code_cell("draw()", outputs=[picture(), new_output("display_data", {"text/html": table}), picture()])
    page = lesson_page(
        new_notebook(cells=[new_markdown_cell("# T"), cell]), "notebooks/04_sft_chartqa.ipynb", links(), "Run.", {}
    )
    first, second = page.cells[1:]
    assert [one.metadata["mystnb"]["image"]["alt"][:12] for one in (first, second)] == ["A line that "] * 2
    assert (second.source, second.metadata["tags"]) == ("", ["remove-input"])
    assert (
        first.outputs[1].data["text/html"]
        == '<table id="T_1" class="dataframe"><tr><td class="blank"></td><th>a</th></tr></table>'
    )


def test_a_figure_is_traced_to_the_cell_that_measured_it():
    cells = [
        new_code_cell("accuracy = 0.5"),
        new_code_cell("rows = [{'p': 'nf4', 'bytes': 4}]\nfor row in rows:\n    print(row)"),
        new_code_cell("accuracy = measure()\nunused = accuracy"),
        new_code_cell(
            "figures = {'accuracy': accuracy, 'typed': 3}\n"
            "for row in rows:\n    figures |= {f\"bytes_{row['p']}\": row['bytes']}\nrecord(figures)"
        ),
    ]  # fmt: skip
    found = measuring_cells(new_notebook(cells=cells), {"accuracy": 1, "bytes_nf4": 4, "typed": 3})
    assert found == {"accuracy": 2, "bytes_nf4": 1, "typed": 3}
    with pytest.raises(ValueError, match="no cell records"):
        measuring_cells(new_notebook(cells=cells[:1]), {"accuracy": 1})


soak = partial(pytest.param, marks=pytest.mark.slow)  # a book takes seconds to build


@pytest.mark.parametrize(
    ("address", "found", "files", "button", "colab"),
    [
        soak(ADDRESS, False, f"{ADDRESS}/blob/main", True, True),
        (ADDRESS, True, f"{ADDRESS}/blob/main", True, False),
        soak(
            "https://gitlab.com/github/group/course", False, "https://gitlab.com/github/group/course/-/blob/main", True, False
        ),
        soak("https://bitbucket.org/me/course", False, "https://bitbucket.org/me/course/src/main", True, False),
        ("https://codeberg.org/me/course", False, "https://codeberg.org/me/course/src/branch/main", False, False),
        ("https://git.example.org/me/course.git", False, "", False, False),
        ("", False, "", False, False),
    ],
    ids=["github", "github_found", "gitlab", "bitbucket", "codeberg", "elsewhere", "nowhere"],
)
def test_wherever_the_course_lives_its_book_is_built_and_leads_there(tmp_path, address, found, files, button, colab):
    """A front page, a lesson and an exercise, with the book's own configuration: all that leads out of them, in order."""
    source, built, leads = tmp_path / "source", tmp_path / "site", {}
    pages = ("notebooks/04_sft_chartqa", "exercises/04_sft_chartqa")
    for name in pages:
        page = f"{name}.ipynb"
        for path in (source / page, source / "sources" / page):
            path.parent.mkdir(parents=True)
            path.touch()
        notebook = new_notebook(cells=[new_markdown_cell("# A page\n\n[The licence](../LICENSE)")])
        nbformat.write(lesson_page(notebook, page, links(address), "Run.", {}), source / page)
    (source / "sources" / "LICENSE").touch()
    contents = "\n".join(["```{toctree}", *pages, "```"])
    (source / "index.md").write_text(f"# A book\n\n{site.where(address, found)}\n\n{contents}\n", encoding="utf-8")
    site.run_sphinx(source, built, site.theme_options(address, found))
    for name in ("index", *pages):
        text = (built / f"{name}.html").read_text(encoding="utf-8")
        leads[name] = re.findall(r'href="(https?://[^"]*)"', text[text.index("<main") :])
    own = [address] if button else []
    launch = [f"https://colab.research.google.com/github/me/course/blob/main/{pages[0]}.ipynb"] if colab else []
    assert leads == {"index": own + ([address] if address else [])} | {
        name: (launch if name == pages[0] else []) + own + ([f"{files}/{name}.ipynb", f"{files}/LICENSE"] if files else [])
        for name in pages
    }
    assert ("Colab" in site.where(address, found)) == colab
    assert ("taken from git's `origin`" in site.where(address, found)) == found


def test_without_a_run_or_its_packages_there_is_no_book_and_a_word_on_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(SiteError, match="make course"):
        build_site(tmp_path)
    assert write_contact_sheet(tmp_path) is None
    nbformat.write(new_notebook(cells=[new_markdown_cell("# 04")]), tmp_path / "04_sft_chartqa.ipynb")
    monkeypatch.setattr(site, "PACKAGES", ("sphinx", "no_such_theme"))
    with pytest.raises(SiteError, match=r"no_such_theme is not installed. To have it: pip install -e '.\[site\]'"):
        build_site(tmp_path)


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
def test_make_takes_a_run_with_a_space_in_its_name():
    done = subprocess.run(["make", "-n", "site", "RUN=runs/my run"], cwd=ROOT, capture_output=True, text=True)
    assert '-m helpers site --run "runs/my run"' in done.stdout


def test_the_workflow_publishes_what_the_run_makes_and_the_readme_says_that_it_was_not_run():
    text = (ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8")
    assert "path: runs/tiny/site" in text
    assert "run: make course" in text
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(`.github/workflows/site.yml`) is checked in its form only and was not run here" in readme
