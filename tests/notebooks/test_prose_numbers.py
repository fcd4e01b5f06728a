"""Every number in a lesson's prose is one that a run prints, one that is computed here, or one with a source.

``BACKING`` says for each lesson and number which of them it is. A new number in a markdown cell fails until it is entered;
an entry whose number is gone fails too. A number in prose must hold on every machine and for every seed: time, memory and
accuracy stand in outputs.
"""

import ast
import inspect
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import nbformat
import pytest
import torch
from trl import SFTConfig

from helpers.course import find_lessons, measured_steps
from helpers.evaluation import LEVEL, judge_answer, relaxed_match
from helpers.models import PROCESSORS, count_image_tokens, tile_grid
from helpers.paths import MEASURED, NOTEBOOKS


@dataclass(frozen=True)
class Key:
    """A figure that the lesson records in results.json."""

    name: str


@dataclass(frozen=True)
class InCode:
    """An input that the lesson itself chooses: the same number stands in one of its code cells."""


@dataclass(frozen=True)
class Source:
    """Said elsewhere: where."""

    where: str


Backing = Key | InCode | Source | Callable[[], float]


def max_length() -> int:
    return inspect.signature(SFTConfig).parameters["max_length"].default


def interval() -> float:
    return 100 * LEVEL


def tolerance() -> float:
    """The metric's, in per cent: the last whole number below 100 that is still right, found by asking it."""
    return 100 - min(value for value in range(1, 101) if relaxed_match(str(value), "100"))


def judges_tolerance() -> float:
    """In per cent: the last whole number above 100 that the judge still takes for 100, found by asking it."""
    said = (f"The income in Peru is {value}." for value in range(101, 200))
    wins = [judge_answer(answer, entity="Peru", value=100, unit="").preferred for answer in said]
    return sum(wins)


def by_make_gpu(setting: str, figure: str) -> float:
    """A figure of a training step that ``make gpu`` measured."""
    return json.loads((MEASURED / "gpu.json").read_text(encoding="utf-8"))["stages"][f"steps: {setting}"][figure]


def on_h200(name: str, what: str) -> float:
    """What was measured there of a step at batch 1."""
    return next(row[what] for row in measured_steps() if row["name"] == name and row["batch"] == 1)


_LARGE = PROCESSORS["HuggingFaceTB/SmolVLM2-2.2B-Instruct"]
_CHART = (850, 600, _LARGE)
_INTERVAL = {"95": [interval]}

BACKING: dict[str, dict[str, list[Backing]]] = {
    "00_meet_the_model": {
        "850": [InCode()],
        "600": [InCode()],
        "1,024": [Key("default_max_length"), max_length],
        "1,536": [lambda: _LARGE["size"]["longest_edge"]],
        "384": [lambda: _LARGE["max_image_size"]["longest_edge"]],
        "3": [lambda: tile_grid(*_CHART)[0], lambda: _LARGE["scale_factor"]],
        "4": [lambda: tile_grid(*_CHART)[1]],
        "13": [Key("tiles_850x600")],
        "14": [lambda: _LARGE["patch_size"]],
        "27": [lambda: _LARGE["max_image_size"]["longest_edge"] // _LARGE["patch_size"]],
        "81": [lambda: count_image_tokens(*_CHART).image_tokens / count_image_tokens(*_CHART).tiles],
        "1,053": [Key("image_tokens_850x600")],
    },
    "01_quantization_memory": {
        "1": [Source("QLoRA, arXiv:2305.14314, section 3: the levels of NF4 lie between -1 and 1")],
        "2": [InCode()],
        "4": [InCode()],
        "4.127": [Key("bits_nf4_double_quant"), lambda: 4 + 8 / 64 + 32 / (64 * 256)],
        "5": [tolerance],
        "4.5": [Key("bits_nf4"), lambda: 4 + 32 / 64],
        "7": [lambda: 100 * (2**30 / 1e9 - 1)],
        "3.1": [lambda: on_h200("LoRA in 4 bits, checkpointing, tower with gradient", "peak_gb")],
        "6.1": [lambda: on_h200("LoRA, checkpointing, tower with gradient", "peak_gb")],
        "8.9": [lambda: on_h200("LoRA in 8 bits, checkpointing, tower with gradient", "peak_gb")],
        "0.39": [lambda: on_h200("LoRA, checkpointing, tower with gradient", "step_seconds")],
        "0.47": [lambda: on_h200("LoRA in 4 bits, checkpointing, tower with gradient", "step_seconds")],
        "0.77": [lambda: on_h200("LoRA in 8 bits, checkpointing, tower with gradient", "step_seconds")],
        "13": [lambda: on_h200("LoRA, checkpointing, tower with gradient", "tiles")],
        "4.8": [lambda: by_make_gpu("LoRA in 8 bits, checkpointing", "peak_gb")],
        "2.7": [lambda: by_make_gpu("LoRA in 4 bits, checkpointing", "peak_gb")],
        "17": [lambda: by_make_gpu("LoRA in 4 bits, checkpointing", "tiles")],
        "8": [InCode()],
        "16": [lambda: 2**4],
        "30": [InCode()],
        "32": [InCode()],
        "63": [lambda: 64 - 1],
        "64": [InCode()],
        "256": [InCode()],
    },
    "02_lora_parameters": _INTERVAL | {
        "5": [tolerance],
        "2,048": [InCode()],
        "8": [InCode()],
        "0": [Source("LoRA, arXiv:2106.09685, section 4.1: B starts at zero, so that the change BA is zero")],
    },
    "03_batch_size_memory": {
        "0.9": [Source("accelerate.utils.find_executable_batch_size, whose docstring says so; the lesson's run shows it")],
        "1": [InCode()],
        "8": [InCode()],
        "13": [InCode()],
        "16": [InCode()],
        "17": [InCode()],
        "64": [InCode()],
        "300": [InCode()],
    },
    "04_sft_chartqa": _INTERVAL | {
        "5": [tolerance],
        "1,024": [max_length],
        "0.0": [Source("test_training.test_max_length_cuts_the_answer_to_a_silent_loss_of_zero runs it")],
    },
    "05_dpo_preferences": {
        "1": [judges_tolerance],
        "2": [lambda: math.exp(-torch.nn.functional.logsigmoid(torch.zeros(())).item())],
        "7": [Source("DPO, arXiv:2305.18290, equation 7: the loss as a difference of two scaled log-ratios")],
    },
    "06_evaluation": _INTERVAL | {"3": [lambda: -math.log(1 - interval() / 100)], "5": [tolerance]},
    "07_scaling_out": {"20": [InCode()]},
    "08_grpo_rewards": {"0": [InCode()], "1": [InCode()], "1.0": [Key("zero_variance_reward")]},
    "bonus_pretrain_tiny_vlm": {"64": [lambda: count_image_tokens(512, 512, "embedded").image_tokens]},
}  # fmt: skip

LESSONS = {lesson.name: lesson for lesson in find_lessons()}
# Not figures: code, formulas' subscripts, addresses, lessons by number ("lesson 04", "(05)"), a model's name that has a space.
_NO_FIGURES = r"```.*?```|`[^`]*`|https?://\S+|arXiv:[\d.]+|\b0\d\b(?!\.\d)|\bIdefics \d|\*\*Further reading:\*\*.*\Z"
# A digit that belongs to a word is part of a name: SmolVLM2-2.2B, 4-bit, NF4.
_FIGURE = re.compile(r"(?<![\w.,-])\d[\d,]*(?:\.\d+)?(?![\w]|-[A-Za-z])")


def figures(markdown: str) -> list[str]:
    """The numbers in a text as they are written, without a comma that ends a clause."""
    return [found.rstrip(",") for found in _FIGURE.findall(re.sub(_NO_FIGURES, " ", markdown, flags=re.DOTALL))]


def says(written: str, value: float) -> bool:
    """Whether ``written`` is ``value``, rounded to as many places as are written."""
    written = written.replace(",", "")
    half = Decimal(1).scaleb(-len(written.partition(".")[2])) / 2
    return abs(Decimal(str(value)) - Decimal(written)) <= half


def cells(path: Path, kind: str) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def constants(path: Path) -> set[float]:
    nodes = [node for source in cells(path, "code") for node in ast.walk(ast.parse(source))]
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, int | float)}


@pytest.mark.parametrize("name", LESSONS)
def test_every_number_in_the_prose_is_entered_and_no_other(name):
    found = {figure for text in cells(LESSONS[name].path, "markdown") for figure in figures(text)}
    entered = set(BACKING.get(name, {}))
    assert found - entered == set(), "say in BACKING which figure of a run, computation or source these numbers are"
    assert entered - found == set(), "these are no longer in the prose"


@pytest.mark.parametrize("name", BACKING)
def test_every_number_in_the_prose_is_right(name, recorded):
    for written, backings in BACKING[name].items():
        for backing in backings:
            if isinstance(backing, Key):
                assert says(written, recorded(name)[backing.name]), (
                    f"{written}: {backing.name} is {recorded(name)[backing.name]}"
                )
            elif isinstance(backing, InCode):
                assert float(written.replace(",", "")) in constants(LESSONS[name].path), f"{written} is in no code cell"
            elif isinstance(backing, Source):
                assert len(backing.where) > 20
            else:
                assert says(written, backing()), f"{written} is {backing()}"


def test_what_is_a_number_and_what_is_a_name():
    text = (
        "# 04 · SmolVLM2-2.2B in 4-bit (lesson 02, then 05): 1,053 tokens, 0.5 of 13, or 62.5 %; NF4's 4.127 bits, 18.5 GB.\n"
    )
    text += "`max_length=1024` and arXiv:2106.09685; `r` = 8, x 2**3\n**Further reading:** LoRA (Hu et al. 2021)"
    assert figures(text) == ["1,053", "0.5", "13", "62.5", "4.127", "18.5", "8", "2", "3"]


def test_rounding_is_to_the_places_that_are_written():
    assert says("1,053", 1053)
    assert says("0.73", 0.7349)
    assert says("13", 13.4)
    assert not says("0.73", 0.7351)
    assert not says("1,053", 1054)
    assert not says("0.730", 0.7349)


def test_a_planted_number_is_found(tmp_path):
    """What the first test would say of a lesson into which somebody has written a figure by hand."""
    notebook = nbformat.read(NOTEBOOKS / "00_meet_the_model.ipynb", as_version=4)
    notebook.cells[-1].source = "The model answers 87 % of the questions.\n\n" + notebook.cells[-1].source
    nbformat.write(notebook, tmp_path / "planted.ipynb")
    found = {figure for text in cells(tmp_path / "planted.ipynb", "markdown") for figure in figures(text)}
    assert found - set(BACKING["00_meet_the_model"]) == {"87"}
