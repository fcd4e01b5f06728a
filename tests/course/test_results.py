"""results.json holds finite figures only, and one lesson's figures leave the others' alone."""

import json
import os

import numpy as np
import pytest
import torch

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


def test_numbers_of_numpy_and_torch_become_pythons_own():
    figures = {"count": np.int64(5), "share": np.float64(0.5), "of torch": torch.tensor(2), "text": np.str_("yes")}
    read = json.loads(record("01_a", "tiny", CPU, figures).read_text())["lessons"]["01_a"]
    assert read == {"count": 5, "share": 0.5, "of torch": 2, "text": "yes"}
    assert [type(value) for value in read.values()] == [int, float, int, str]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_others_may_read_the_file_where_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        path = record("01_a", "tiny", CPU, {"x": 1})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


NO_NUMBERS = [None, [1], True, np.bool_(True), torch.tensor(True), np.array([1, 2]), torch.tensor([1.0, 2.0])]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor(float("nan")), *NO_NUMBERS])
def test_what_is_no_finite_number_is_refused_by_name(value, tmp_path):
    with pytest.raises(ValueError, match="accuracy"):
        record("01_a", "tiny", CPU, {"accuracy": value})
    assert not (tmp_path / "results.json").exists()
