"""A lesson's kernel is the Python that calls the runner; it is talked to in private, and says itself why it ended."""

import json
import subprocess
import sys

import nbformat
import pytest

from helpers.course import CallersKernel, run
from helpers.paths import ROOT
from tests.course.test_runner import write_lesson

_CELL = """
import json, os, sys
from ipykernel.kernelapp import IPKernelApp
print(json.dumps([sys.executable, IPKernelApp.instance().transport, os.path.exists(os.environ["IPYTHONDIR"])]))

"""


def text_of(path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells if cell.cell_type == "code" for output in cell.outputs)


@pytest.fixture
def misleading(tmp_path, monkeypatch):
    """A kernelspec python3 of another environment, found before any other, that can't even start."""
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-c", "raise SystemExit('another environment')", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))


def test_it_is_the_calling_python_over_private_sockets_whatever_kernelspecs_there_are(tmp_path, misleading):
    write_lesson(tmp_path, "01_who", _CELL)
    assert run([], "tiny", {}, str(tmp_path / "out"), tmp_path) == 0
    python, transport, folder = json.loads(text_of(tmp_path / "out" / "01_who.ipynb").splitlines()[0])
    assert python == sys.executable
    assert transport == ("tcp" if sys.platform == "win32" else "ipc")
    assert folder


def test_a_kernel_that_does_not_start_says_itself_why(tmp_path, monkeypatch, capsys):
    words = "import sys; print('frozen', file=sys.stderr); raise SystemExit('ModuleNotFoundError: zmq is broken')"
    broken = CallersKernel.kernel_spec.fget(None)
    broken.argv = [sys.executable, "-c", words, "{connection_file}"]
    monkeypatch.setattr(CallersKernel, "kernel_spec", broken)
    write_lesson(tmp_path, "01_never", "print('never')")
    assert run([], "tiny", {}, str(tmp_path / "out"), tmp_path) == 1
    printed = capsys.readouterr().out
    assert "ModuleNotFoundError: zmq is broken" in printed
    assert "memory" not in printed
    assert "python -m helpers doctor" in printed


def test_a_kernel_that_ends_in_a_cell(tmp_path, capsys):
    write_lesson(tmp_path, "01_dies", "import os\nos.write(2, b'last words')\nos._exit(9)")
    assert run([], "tiny", {}, str(tmp_path / "out"), tmp_path) == 1
    assert "the kernel died, most often for lack of memory" in capsys.readouterr().out


def test_between_the_progress_lines_nothing_is_printed_but_the_runners_own(tmp_path):
    write_lesson(tmp_path, "01_quiet", "1 + 1")
    code = "import sys; from helpers.course import run; from pathlib import Path\nhere = Path(sys.argv[1])\n"
    code += "sys.exit(run([], 'tiny', {}, str(here / 'out'), here))"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0
    lines = done.stderr.replace("\r", "\n").splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("01_quiet: ")] == []
    assert done.stdout.splitlines()[0].startswith("profile tiny")
    assert "WARNING" not in done.stdout
