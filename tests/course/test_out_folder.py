"""One run at a time writes to a folder, and what is damaged in it is neither read nor overwritten."""

import json
import os
import signal
import subprocess
import sys

import pytest

from helpers.__main__ import main
from helpers.course import HOLDER, UsageError, hold, run
from helpers.paths import ROOT
from tests.course.test_runner import write_lesson

_HOLD = """
import sys, time
from pathlib import Path
from helpers.course import hold
with hold(Path(sys.argv[1]), ["04_sft_chartqa"]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_refused_and_told_who_holds_the_folder(holder, tmp_path, capsys):
    assert main(["run", "00", "--profile", "tiny", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"another run writes to {tmp_path} (process {holder.pid} on " in said.err
    assert "since 20" in said.err
    assert ": 04_sft_chartqa)" in said.err
    assert said.err.count("\n") == 1


def test_a_holder_that_is_killed_frees_the_folder(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / HOLDER).exists()
    with hold(tmp_path, ["00"]):
        assert json.loads((tmp_path / HOLDER).read_text())["pid"] == os.getpid()
    assert not (tmp_path / HOLDER).exists()


def test_a_holder_that_has_not_said_yet_who_it_is_is_no_parent_of_this_run(holder, tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_RUN", raising=False)
    for found in ("", "{"):
        (tmp_path / HOLDER).write_text(found)
        with pytest.raises(UsageError, match="it has just begun"), hold(tmp_path, ["00"]):
            pass


def test_a_folder_that_takes_no_holder_is_let_go_again(tmp_path):
    (tmp_path / HOLDER).mkdir()
    with pytest.raises(UsageError, match="results can't go to the folder"), hold(tmp_path, ["00"]):
        pass
    (tmp_path / HOLDER).rmdir()
    with hold(tmp_path, ["00"]):
        assert json.loads((tmp_path / HOLDER).read_text())["lessons"] == "00"
    assert "COURSE_RUN" not in os.environ


def test_a_child_of_the_holder_may_enter_and_nobody_else(tmp_path):
    code = "import sys; from pathlib import Path; from helpers.course import hold\n"
    code += "with hold(Path(sys.argv[1]), []): pass"
    with hold(tmp_path, ["05"]):
        command = [sys.executable, "-c", code, str(tmp_path)]
        assert subprocess.run(command, cwd=ROOT).returncode == 0
        stranger = {name: value for name, value in os.environ.items() if name != "COURSE_RUN"}
        done = subprocess.run(command, cwd=ROOT, env=stranger, capture_output=True, encoding="utf-8")
        assert "another run writes to" in done.stderr
    assert "COURSE_RUN" not in os.environ


def test_a_lesson_may_have_an_earlier_one_run_into_the_same_folder(tmp_path):
    code = "import subprocess, sys; from helpers.course import hold; from pathlib import Path\nimport os\n"
    code += "with hold(Path(os.environ['COURSE_OUT']), ['00']): print('entered')"
    cell = f"import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', {code!r}], check=True))"
    write_lesson(tmp_path, "01_nested", cell)
    assert run([], "tiny", {}, str(tmp_path / "out"), tmp_path) == 0
    assert "entered" in (tmp_path / "out" / "01_nested.ipynb").read_text()


def test_out_names_a_file(tmp_path, capsys):
    file = tmp_path / "results"
    file.write_text("mine")
    for out in (file, file / "below"):
        assert main(["run", "00", "--profile", "tiny", "--out", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert file.read_text() == "mine"


@pytest.mark.parametrize("name", ["results.json", "04_sft_chartqa.ipynb", "00_first.ipynb"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\xff"])
def test_what_is_damaged_is_named_and_stays_as_it_is(tmp_path, name, content):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_bytes(content.encode("latin-1"))
    write_lesson(tmp_path, "00_first", "print('never')")
    with pytest.raises(UsageError, match=f"{name} is damaged") as refused:
        run([], "tiny", {}, str(out), tmp_path)
    assert "\n" not in str(refused.value)
    assert (out / name).read_bytes() == content.encode("latin-1")
    assert sorted(path.name for path in out.glob("*.*") if not path.name.startswith(".")) == [name]
