"""Profiles are flat data with the right types, and every lesson's parameter is filled by each of them."""

import json

import pytest
import yaml

from helpers.course import NAMES, check_value, examples_a_step, fill_parameters, find_lessons, kinds, load_profile, pick_profile
from helpers.paths import PROFILES


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_numbers(name):
    values = yaml.safe_load((PROFILES / f"{name}.yaml").read_text())
    assert values["PROFILE"] == name
    assert set(values) <= set(kinds())
    assert {key: check_value(key, value) for key, value in values.items()} == load_profile(name) == values


@pytest.mark.parametrize("line", ["LEARNING_RATE: 1e-4", "ACTIVATION_CHECKPOINTING: 'no'", "BATCH_SIZE: 0"])
def test_a_value_of_the_wrong_kind_is_refused(tmp_path, monkeypatch, line):
    monkeypatch.setattr("helpers.course.profiles.PROFILES", tmp_path)
    (tmp_path / "tiny.yaml").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"tiny\.yaml: " + line.split(":")[0]):
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


def test_filling_checks_what_was_given_under_bare_papermill_too():
    assert fill_parameters({"PROFILE": "tiny", "DATASET": 2024})["DATASET"] == "2024"
    with pytest.raises(ValueError, match=r"CHECKPOINTING is 'false'; it is auto, True or False. Did you mean False\?"):
        fill_parameters({"PROFILE": "tiny", "ACTIVATION_CHECKPOINTING": "false"})


@pytest.mark.parametrize(("name", "examples"), [("tiny", 16), ("t4", 16), ("gpu", 16)])
def test_a_step_learns_from_the_profiles_examples_however_many_fit_at_once(name, examples):
    values = load_profile(name)
    assert examples_a_step(name, values["BATCH_SIZE"], values["GRADIENT_ACCUMULATION"]) == examples
    assert examples_a_step(name, "auto", 1) == examples
    assert examples_a_step(name, 3, 2) == 6


def test_checkpointing_and_questions_at_once_are_chosen_on_a_gpu_and_stay_as_they_are_in_tiny():
    for name in ("t4", "gpu"):
        values = load_profile(name)
        assert (values["ACTIVATION_CHECKPOINTING"], values["EVAL_BATCH_SIZE"]) == ("auto", "auto")
    tiny = load_profile("tiny")
    assert (tiny["ACTIVATION_CHECKPOINTING"], tiny["BATCH_SIZE"], tiny["EVAL_BATCH_SIZE"]) == (False, 16, 64)


def test_an_unknown_profile_is_an_error():
    with pytest.raises(ValueError, match="auto, tiny, t4, gpu"):
        pick_profile("a100")


def test_revisions_are_published_ones(shared):
    known = json.loads((shared / "published" / "revisions.json").read_text())
    for name in ("t4", "gpu"):
        for key in ("MODEL", "DATASET"):
            identifier, _, revision = load_profile(name)[key].partition("@")
            assert known[identifier] == revision
