"""The runner: what it refuses before anything runs, how it fails, and what it leaves behind."""

import json

import nbformat
import pytest

from helpers.__main__ import main
from helpers.course import UsageError, advice, load_profile, run, typed

PARAMETERS = "PROFILE = 'tiny'\nMAX_STEPS = None\nNAME = 'x'"


def write_lesson(folder, name, *cells, needs=(), tagged=True, parameters=PARAMETERS):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {name}")])
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in (parameters, *cells)]
    if tagged:
        notebook.cells[1].metadata["tags"] = ["parameters"]
    notebook.metadata = {
        "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}, "course": {"needs": list(needs)}
    }  # fmt: skip
    nbformat.write(notebook, folder / f"{name}.ipynb")


RECORD = (
    "from helpers.models import detect\nfrom helpers.course import record\nrecord('{}', PROFILE, detect(), {{'value': {}}})"
)


def test_runs_lessons_in_order_with_parameters_and_keeps_figures(tmp_path, capsys):
    lessons, out = tmp_path / "notebooks", tmp_path / "out"
    lessons.mkdir()
    write_lesson(lessons, "01_first", RECORD.format("01_first", "MAX_STEPS"))
    write_lesson(lessons, "02_second", RECORD.format("02_second", "2.5"), needs=["01_first"])
    assert run(["02"], "tiny", {"MAX_STEPS": 3}, str(out), lessons) == 0
    printed = capsys.readouterr().out
    assert "02_second starts from what 01_first makes, which is not there yet: running that first" in printed
    results = json.loads((out / "results.json").read_text())
    assert results["lessons"] == {"01_first": {"value": 3}, "02_second": {"value": 2.5}}
    assert results["environment"]["profile"] == "tiny"
    assert (out / "01_first.ipynb").exists()
    assert not (out / "site").exists(), "the book is made where it is asked for"
    # Once more, the second alone: what the first made is there, and its figures stay.
    assert run(["02_second"], "tiny", {}, str(out), lessons) == 0
    assert "running that first" not in capsys.readouterr().out
    assert json.loads((out / "results.json").read_text())["lessons"]["01_first"] == {"value": 3}


def test_a_profile_fills_what_is_none_and_leaves_a_value_of_the_lessons_own(tmp_path):
    write_lesson(tmp_path, "01_own", RECORD.format("01_own", "N_CHARTS"), parameters="PROFILE = 'auto'\nN_CHARTS = 7")
    assert "N_CHARTS" in load_profile("tiny")
    for settings, expected in (({}, 7), ({"N_CHARTS": 9}, 9)):
        assert run([], "tiny", settings, str(tmp_path / "out"), tmp_path) == 0
        assert json.loads((tmp_path / "out" / "results.json").read_text())["lessons"]["01_own"] == {"value": expected}


def test_a_failing_lesson_stops_with_cell_error_and_advice_and_keeps_the_partial_notebook(tmp_path, capsys):
    write_lesson(tmp_path, "01_breaks", "print('so far')", "raise FileNotFoundError('no chart.png')")
    write_lesson(tmp_path, "02_never", "print('never')")
    assert run([], "tiny", {}, str(tmp_path / "out"), tmp_path) == 1
    printed = capsys.readouterr().out
    assert "01_breaks failed at cell" in printed
    assert "FileNotFoundError: no chart.png" in printed
    assert "try: check the path" in printed
    partial = nbformat.read(tmp_path / "out" / "01_breaks.ipynb", as_version=4)
    assert any("so far" in str(cell.get("outputs", "")) for cell in partial.cells)
    assert not (tmp_path / "out" / "02_never.ipynb").exists()


def test_a_cell_that_takes_too_long_is_stopped(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("helpers.course.runner", fromlist=["x"]).CELL_TIMEOUT_SECONDS, "tiny", 2)
    write_lesson(tmp_path, "01_slow", "import time; time.sleep(60)")
    assert run([], "tiny", {}, str(tmp_path / "out"), tmp_path) == 1
    assert "a cell ran too long" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wanted", "profile", "settings", "words"),
    [
        (["09"], "tiny", {}, "no lesson is called '09'"),
        (["1"], "tiny", {}, r"no lesson is called '1'. Did you mean 01 \(01_first\)\?"),
        (["01_frist"], "tiny", {}, "Did you mean 01_first"),
        ([], "huge", {}, "no profile is called 'huge'"),
        ([], "tiny", {"MAX_STEP": 3}, "Did you mean MAX_STEPS"),
        ([], "tiny", {"MAX_STEPS": 2.5}, "MAX_STEPS is 2.5; it is a whole number from 1"),
        ([], "tiny", {"NAME": None}, "NAME is None"),
        ([], "tiny", {"max_steps": 3}, "Did you mean MAX_STEPS"),
    ],
)
def test_bad_usage_is_refused_before_anything_runs(tmp_path, wanted, profile, settings, words):
    write_lesson(tmp_path, "01_first", "raise SystemExit('ran')")
    with pytest.raises(UsageError, match=words):
        run(wanted, profile, settings, str(tmp_path / "out"), tmp_path)
    assert not list(tmp_path.glob("out/*.ipynb"))


def test_a_notebook_without_a_parameters_cell_is_refused(tmp_path):
    write_lesson(tmp_path, "01_first", tagged=False)
    with pytest.raises(UsageError, match="0 cells tagged 'parameters'"):
        run([], "tiny", {}, str(tmp_path / "out"), tmp_path)


def test_the_command_line_exits_with_2_for_bad_usage(capsys):
    assert main(["run", "04", "--set", "LEARNING_RAT=1"]) == 2
    assert "Did you mean LEARNING_RATE" in capsys.readouterr().err
    assert main(["run", "04", "--set", "LEARNING_RATE"]) == 2
    assert main(["ask", "no/such.png", "what?"]) == 2
    assert "is not there" in capsys.readouterr().err
    assert main(["ask", "no/such.png", "what <image> is it?"]) == 2
    assert "the question has the placeholder <image> in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-4", 1e-4),
        ("2.5", 2.5),
        ("True", True),
        ("False", False),
        ("None", None),
        ("4bit", "4bit"),
        ("true", "true"),
    ],
)
def test_values_are_typed_as_papermill_types_them(text, value):
    assert typed(text) == value
    assert type(typed(text)) is type(value)
    from papermill.cli import _resolve_type

    assert _resolve_type(text) == value


def test_advice_is_one_action_for_what_often_happens():
    assert "BATCH_SIZE" in advice("OutOfMemoryError", "CUDA out of memory")
    assert "partial notebook" in advice("ValueError", "something else")


def test_the_outlook_says_what_runs_how_long_it_took_and_where_to_look(tmp_path, capsys):
    write_lesson(tmp_path, "01_first", "print('x')")
    for said in ("1 lesson\n  01_first", "they took last time here: "):  # no time is known of it; then the last one is
        assert run([], "tiny", {}, str(tmp_path / "out"), tmp_path) == 0
        assert said in capsys.readouterr().out


def test_what_the_libraries_say_goes_to_a_log_and_out_of_the_notebook(tmp_path):
    noise = "import sys\nprint('WARNING: of a library', file=sys.stderr)\nprint('kept')"
    write_lesson(tmp_path, "01_first", noise)
    assert run([], "tiny", {}, str(tmp_path / "out"), tmp_path) == 0
    text = (tmp_path / "out" / "01_first.ipynb").read_text(encoding="utf-8")
    outputs = [out for cell in nbformat.reads(text, as_version=4).cells if "outputs" in cell for out in cell.outputs]
    assert [out.text for out in outputs] == ["kept\n"]
    assert (tmp_path / "out" / "logs" / "01_first.txt").read_text(encoding="utf-8") == "WARNING: of a library\n"
