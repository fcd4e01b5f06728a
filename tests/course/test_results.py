"""results.json holds finite figures only, and one lesson's figures leave the others' alone."""

import json

import numpy as np
import pytest

from helpers.course import record
from helpers.models import Hardware

CPU = Hardware("cpu", "2 CPU threads", 8_000_000_000, native_bf16=False)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_OUT", str(tmp_path))


def test_figures_of_other_lessons_stay():
    record("01_a", "tiny", CPU, {"x": 1, "text": "yes"})
    path = record("02_b", "tiny", CPU, {"y": np.float32(0.5)})
    results = json.loads(path.read_text())
    assert results["lessons"] == {"01_a": {"x": 1, "text": "yes"}, "02_b": {"y": 0.5}}
    assert {"torch", "trl", "device", "profile", "time"} <= set(results["environment"])
    record("01_a", "tiny", CPU, {"x": 2})
    assert json.loads(path.read_text())["lessons"] == {"01_a": {"x": 2}, "02_b": {"y": 0.5}}


def test_the_precision_is_the_one_that_was_computed_in():
    def tested(*given):
        return json.loads(record("01_a", *given).read_text())["environment"]["precision_tested"]

    assert tested("t4", CPU, {}) == "float32", "fp16=True on a CPU silently trains in float32"
    assert tested("t4", Hardware("cuda", "Tesla T4", 15_800_000_000, native_bf16=False), {}) == "float16"
    assert tested("tiny", CPU, {}, "bfloat16") == "bfloat16"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, [1], True])
def test_what_is_no_finite_number_is_refused_by_name(value, tmp_path):
    with pytest.raises(ValueError, match="accuracy"):
        record("01_a", "tiny", CPU, {"accuracy": value})
    assert not (tmp_path / "results.json").exists()
