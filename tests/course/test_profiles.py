"""Profiles are flat data with the right types, and every lesson's parameter is filled by each of them."""

import json

import pytest
import yaml

from helpers.course import NAMES, fill_parameters, find_lessons, load_profile, pick_profile
from helpers.paths import PROFILES

TEXT = {"PROFILE", "MODEL", "DATASET", "DEVICE", "PRECISION", "QUANTIZATION", "QUESTION", "LORA_RANKS", "PLAN_MODEL"}
TEXT |= {"PREFERENCES", "TRACKING"}


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_numbers(name):
    values = yaml.safe_load((PROFILES / f"{name}.yaml").read_text())
    assert values["PROFILE"] == name
    for key, value in values.items():
        assert isinstance(value, str if key in TEXT else (int, float, bool)), f"{key}: {value!r}"
    assert load_profile(name) == values


def test_a_number_that_yaml_reads_as_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.course.profiles.PROFILES", tmp_path)
    (tmp_path / "tiny.yaml").write_text("LEARNING_RATE: 1e-4\n")
    with pytest.raises(ValueError, match="LEARNING_RATE"):
        load_profile("tiny")


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_fills_every_parameter_of_every_lesson(name):
    for lesson in find_lessons():
        if lesson.name.startswith("bonus_"):
            continue  # about the tiny model alone: its parameters are its own, the same for every profile
        assert set(lesson.parameters) <= set(load_profile(name)), lesson.name


def test_filling_keeps_what_is_given(capsys):
    filled = fill_parameters({"PROFILE": "tiny", "SEED": 7, "MAX_STEPS": None, "LORA_RANK": None, "other": None})
    assert filled == {"PROFILE": "tiny", "MAX_STEPS": load_profile("tiny")["MAX_STEPS"], "LORA_RANK": 16}
    assert capsys.readouterr().out == "profile tiny: as asked\n"


def test_an_unknown_profile_is_an_error():
    with pytest.raises(ValueError, match="auto, tiny, t4, gpu"):
        pick_profile("a100")


def test_revisions_are_published_ones(shared):
    known = json.loads((shared / "published" / "revisions.json").read_text())
    for name in ("t4", "gpu"):
        for key in ("MODEL", "DATASET"):
            identifier, _, revision = load_profile(name)[key].partition("@")
            assert known[identifier] == revision
