"""What a reader finds of a bar, a training and a warning in an executed notebook: one line, its table, nothing."""

import nbformat
import pytest
from nbformat.v4 import new_output

from helpers.course import spell, tidy


def tidied(*outputs):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=list(outputs))])
    said = tidy(notebook)
    nbformat.validate(notebook)
    return notebook.cells[0].outputs, said


def stderr(*pieces):
    return [new_output("stream", name="stderr", text=piece) for piece in pieces]


@pytest.mark.parametrize(
    ("pieces", "line"),
    [
        (["\ranswering:   0%|     | 0/4 [00:00<?, ?question/s]", "\ranswering: 100%|███| 4/4 [00:06<00:00,  1.50s/question]\n"],
         "answering: 4 questions in 6 s\n"),
        (["\rdry runs:  25%|██▌  | 1/4 [00:16<00:48, 16.06s/method]"], "dry runs: 1 methods in 16 s\n"),
        (["\rMap: 100%|██| 2560/2560 [01:05<00:00, 29456.81 examples/s]"], "Map: 2560 examples in 1 min 5 s\n"),
        (["\rGenerating train split: 760 examples [00:09, 14 examples/s]"], "Generating train split: 760 examples in 9 s\n"),
        (["\rsteps: 100%|██| 1.2k/1.2k [1:00:01<00:00, 3.1it/s]"], "steps: 1.2k steps in 1 h 0 min\n"),
        (["\ra: 100%|█| 3/3 [00:05<00:00, 1it/s]\n", "\ra: 100%|█| 3/3 [00:03<00:00, 1it/s]\n"],
         "a: 3 steps in 5 s\na: 3 steps in 3 s\n"),
    ],
)  # fmt: skip
def test_a_bar_leaves_one_line(pieces, line):
    (output,), said = tidied(*stderr(*pieces))
    assert (output.name, output.text) == ("stdout", line)
    assert said == []


def test_short_bars_and_those_of_the_libraries_leave_nothing():
    assert tidied(*stderr("\ranswering: 100%|█| 4/4 [00:01<00:00, 4question/s]")) == ([], [])
    assert tidied(*stderr("\rLoading weights: 100%|█| 108/108 [00:40<00:00, 2.5it/s]\n")) == ([], [])


def test_what_was_said_on_stderr_is_handed_back_and_what_was_printed_stays_in_order():
    bar = "\ra: 100%|█| 3/3 [00:05<00:00, 1it/s]\n"
    outputs, said = tidied(
        new_output("stream", name="stdout", text="before\n"), *stderr("WARNING: old\n", bar),
        new_output("stream", name="stdout", text="after\n"),
    )  # fmt: skip
    assert [output.text for output in outputs] == ["before\na: 3 steps in 5 s\nafter\n"]
    assert said == ["WARNING: old"]


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("32/32 00:07, Epoch 1/1", "32 steps in 7 s"),
        ("2/2 : &lt; :, Epoch 1/1", "2 steps"),
        ("13/20 00:01 &lt; 00:01, 6.62 it/s, Epoch 0.60/1", "13 of 20 steps in 1 s"),
    ],
)
def test_the_trainers_bar_is_a_line_above_its_table(state, line):
    page = f"<div>\n <progress value='32' max='32' style='x'></progress>\n [{state}]\n </div><table><tr><td>1</td></tr></table>"
    (output,), _ = tidied(new_output("display_data", {"text/html": page, "text/plain": "x"}))
    assert output.data["text/html"] == f"<p>{line}</p><table><tr><td>1</td></tr></table>"


@pytest.mark.parametrize(("seconds", "words"), [(4.6, "5 s"), (65, "1 min 5 s"), (3700, "1 h 1 min")])
def test_times_are_spelled(seconds, words):
    assert spell(seconds) == words
