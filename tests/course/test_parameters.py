"""Each parameter has a kind, in one table; values of another kind are refused with what was meant."""

import nbformat
import pytest

from helpers.__main__ import main
from helpers.course import check_value, find_lessons, kinds, read_value


def test_the_table_names_every_parameter_of_every_lesson_and_no_other():
    known = {name for lesson in find_lessons() for name in lesson.parameters}
    assert known == set(kinds())


def test_every_lesson_checks_what_it_was_given_in_the_cell_after_its_parameters():
    for lesson in find_lessons():
        code = [cell for cell in nbformat.read(lesson.path, as_version=4).cells if cell.cell_type == "code"]
        at = next(at for at, cell in enumerate(code) if "parameters" in cell.metadata.get("tags", ()))
        assert code[at + 1].source.startswith("globals().update(fill_parameters(globals()))\n"), lesson.name


def test_the_lessons_own_values_are_of_their_kinds():
    import ast

    for lesson in find_lessons():
        cells = nbformat.read(lesson.path, as_version=4).cells
        cell = next(cell for cell in cells if "parameters" in cell.metadata.get("tags", ()))
        own = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}
        for name, value in {**own, **cell.metadata.nbmake.mock}.items():
            assert check_value(name, value) == value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("BATCH_SIZE", "4", 4),
        ("SEED", "0", 0),
        ("LEARNING_RATE", "1e-4", 1e-4),
        ("LEARNING_RATE", "1", 1),
        ("BATCH_SIZE", "auto", "auto"),
        ("EVAL_BATCH_SIZE", "auto", "auto"),
        ("ACTIVATION_CHECKPOINTING", "False", False),
        ("ACTIVATION_CHECKPOINTING", "auto", "auto"),
        ("DATASET", "2024", "2024"),
        ("DATASET", "007", "007"),
        ("QUESTION", "True", "True"),
        ("LORA_RANKS", "4", "4"),
        ("LORA_RANKS", "1,4", "1,4"),
        ("DEVICE", "auto", "auto"),
        ("DEVICE", "cpu", "cpu"),
        ("MODEL", "None", None),
        ("N_TRAIN", "None", None),
        ("MY_OWN", "4", 4),
    ],
)
def test_what_fits_is_taken(name, text, value):
    taken = check_value(name, read_value(name, text))
    assert taken == value
    assert type(taken) is type(value)


def test_papermill_may_have_read_a_text_as_a_number():
    assert check_value("DATASET", 2024) == "2024"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("ACTIVATION_CHECKPOINTING", "false", "it is auto, True or False. Did you mean False?"),
        ("ACTIVATION_CHECKPOINTING", "1", "Did you mean True?"),
        ("ACTIVATION_CHECKPOINTING", "Auto", "Did you mean 'auto'?"),
        ("ACTIVATION_CHECKPOINTING", "maybe", "it is auto, True or False."),
        ("BATCH_SIZE", "0", "a whole number from 1."),
        ("BATCH_SIZE", "-1", "a whole number from 1."),
        ("BATCH_SIZE", "2.5", "a whole number from 1."),
        ("BATCH_SIZE", "1e3", "Did you mean 1000?"),
        ("BATCH_SIZE", "True", "a whole number from 1."),
        ("BATCH_SIZE", "four", "a whole number from 1."),
        ("SEED", "-1", "a whole number from 0."),
        ("N_TEST", "1", "a whole number from 2."),
        ("SCALING_BATCH", "3", "an even number from 2."),
        ("SCALING_BATCH", "0", "an even number from 2."),
        ("SCALING_BATCH", "4.0", "Did you mean 4?"),
        ("LEARNING_RATE", "fast", "it is a number."),
        ("LEARNING_RATE", "nan", "it is a number."),
        ("LEARNING_RATE", "True", "it is a number."),
        ("DEVICE", "cuda", "it is auto, cpu or mps. Did you mean 'auto'?"),
        ("DEVICE", "GPU", "Did you mean 'auto'?"),
        ("PRECISION", "bf16", "it is auto, float32, bfloat16 or float16."),
        ("QUANTIZATION", "4-bit", "Did you mean '4bit'?"),
        ("QUANTIZATION", "None_", "Did you mean 'none'?"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_meant(name, text, words):
    with pytest.raises(ValueError, match=f"{name} is ") as refused:
        check_value(name, read_value(name, text))
    assert words in str(refused.value)


def test_the_command_refuses_before_anything_runs(tmp_path, capsys):
    out = tmp_path / "out"
    words = ["run", "04", "--profile", "tiny", "--out", str(out)]
    assert main([*words, "--set", "ACTIVATION_CHECKPOINTING=false"]) == 2
    assert (
        capsys.readouterr().err
        == "error: ACTIVATION_CHECKPOINTING is 'false'; it is auto, True or False. Did you mean False?\n"
    )
    assert main([*words, "--set", "PROFILE=None"]) == 2
    assert not out.exists()
