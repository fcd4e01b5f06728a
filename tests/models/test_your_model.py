"""docs/your_model.md: its figures are those that its own code prints, and its profile is one that the lessons take."""

import contextlib
import io
import re

import yaml

from helpers.course import check_value, kinds, load_profile
from helpers.models import count_image_tokens
from helpers.paths import ROOT

PAGE = (ROOT / "docs" / "your_model.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_figures_are_those_of_the_code_above_them():
    (code,) = (block for block in blocks("python") if "estimate_training_memory" in block)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/your_model.md", "exec"), {})
    assert printed.getvalue() == blocks("text")[0]


def test_the_profile_holds_values_of_their_parameters_kind_and_as_many_examples_a_step():
    values = yaml.safe_load(blocks("yaml")[0])
    assert set(values) <= set(kinds())
    assert all(check_value(name, value) == value for name, value in values.items())
    rest = load_profile(values["PROFILE"])
    assert set(values) <= set(rest)
    a_step = rest["BATCH_SIZE"] * rest["GRADIENT_ACCUMULATION"]
    assert values["BATCH_SIZE"] * values["GRADIENT_ACCUMULATION"] == a_step
    assert f"{a_step} examples a step" in PAGE


def test_three_squares_are_more_than_the_chart():
    square, chart = (count_image_tokens(*size, "Qwen3-VL-2B").image_tokens for size in ((448, 448), (850, 600)))
    assert f"3 squares of 448 pixels are {3 * square} tokens, a chart of 850 x 600 is {chart}." in PAGE.replace("\n", " ")
