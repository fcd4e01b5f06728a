"""JupyterLab as `make lab` opens it: the promised view, lesson 00 from its first cell to its last, and an exercise's check."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from helpers.evaluation import free_port
from helpers.exercises import EXERCISES
from helpers.paths import NOTEBOOKS, ROOT
from tests.site.browser import CHROMIUM, NEEDS_CHROMIUM, chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NEEDS_CHROMIUM)]
RECIPE = re.search(r"^lab: setup\n\t@\$\(VENV_PYTHON\) (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A copy of the notebooks: JupyterLab saves what it runs."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, folder / "notebooks")
    shutil.copytree(EXERCISES, folder / "exercises", ignore=shutil.ignore_patterns("source", "solutions"))
    return folder


@pytest.fixture(scope="module")
def address(folder):
    port = free_port()
    own = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="]
    command = [sys.executable, *RECIPE.split(), "--", *own, f"--ServerApp.root_dir={folder}"]
    with open(folder / "log.txt", "w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(120):
            time.sleep(0.5)
            assert server.poll() is None, (folder / "log.txt").read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                break
            except OSError:
                continue
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="module")
def page(address):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        yield page


def run_all(page, address: str, path: Path, folder: Path) -> dict:
    """Open a notebook, run all cells through the menu, save; what is then in its file."""
    page.goto(f"{address}/lab/tree/{path.relative_to(folder).as_posix()}?reset")  # no notebook of before beside it
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # before that, running asks which kernel it should be
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    end = time.monotonic() + 300
    while time.monotonic() < end:
        page.wait_for_timeout(2000)
        page.keyboard.press("Control+s")
        notebook = json.loads(path.read_text(encoding="utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
        failed = [out for cell in code for out in cell["outputs"] if out["output_type"] == "error"]
        if failed or all(cell["execution_count"] for cell in code):
            assert not failed, failed
            return notebook
    raise AssertionError(f"{path.name}: not all cells ran in five minutes")


def test_it_opens_where_the_lessons_are(page, address):
    page.goto(address + "/")
    page.wait_for_selector(".jp-DirListing-item")
    listed = page.locator(".jp-DirListing-itemText").all_inner_texts()
    assert {"00_meet_the_model.ipynb", "04_sft_chartqa.ipynb"} <= {name.strip() for name in listed}


def test_lesson_00_runs_from_its_first_cell_to_its_last(page, address, folder):
    notebook = run_all(page, address, folder / "notebooks" / "00_meet_the_model.ipynb", folder)
    assert "figures written to" in json.dumps(notebook["cells"])
    assert "image/png" in json.dumps(notebook["cells"])


def test_an_exercise_says_that_it_was_not_attempted(page, address, folder):
    notebook = run_all(page, address, folder / "exercises" / "00_meet_the_model.ipynb", folder)
    assert "not attempted" in json.dumps(notebook["cells"])
    page.wait_for_selector(".jp-OutputArea-output:has-text('not attempted')")
