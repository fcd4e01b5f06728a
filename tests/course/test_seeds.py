"""Several seeds of a lesson, collected: without a training, the runner replaced by one that writes figures."""

import json

import pytest

from helpers.__main__ import main
from helpers.course import UsageError, collect, measure_seeds, seeds


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The seeds that were run; each leaves its own number as a figure. ``failing`` among them fails."""
    done, failing = [], set()

    def run(lessons, profile, settings, out):
        from pathlib import Path

        done.append(settings["SEED"])
        if settings["SEED"] in failing:
            return 1
        figures = {"accuracy": 0.5 + settings["SEED"] / 10, "what": "text"}
        results = {"lessons": dict.fromkeys(lessons, figures), "environment": {}}
        Path(out).mkdir(parents=True)
        (Path(out) / "results.json").write_text(json.dumps(results))
        return 0

    monkeypatch.setattr(seeds, "run", run)
    monkeypatch.setattr(seeds, "resolve", lambda path: tmp_path / path)
    monkeypatch.setattr(seeds, "MEASURED", tmp_path / "measured")
    monkeypatch.setattr(seeds, "measured_by", lambda: {"commit": "abc", "date": "today", "machine": "a laptop"})
    done_and_failing = done, failing
    return done_and_failing


def test_every_seed_is_run_and_its_numbers_collected(runs, tmp_path):
    measured = measure_seeds(["04"], 3, keep=True)
    assert runs[0] == [0, 1, 2] == measured["seeds"]
    assert measured["04_sft_chartqa"] == {"accuracy": [0.5, 0.6, 0.7]}
    assert {"commit", "date", "machine", "profile"} <= set(measured)
    for written in ("runs/seeds.json", "measured/seeds_04.json"):
        assert json.loads((tmp_path / written).read_text()) == measured


def test_the_help_says_where_a_measurement_is_kept(capsys):
    with pytest.raises(SystemExit):
        main(["seeds", "--help"])
    assert "seeds.json for lessons 04 and 05, seeds_<numbers>.json for others" in " ".join(capsys.readouterr().out.split())


def test_what_is_kept_and_what_you_measured_can_be_read(runs, tmp_path, monkeypatch):
    assert seeds.read_seeds("04_sft_chartqa") == []
    measure_seeds(["04", "05"], 2, keep=True)
    measure_seeds(["04"], 1)
    monkeypatch.setattr(seeds, "ROOT", tmp_path)
    both, mine = seeds.read_seeds("04_sft_chartqa")
    assert (both.place, both.seeds, both.commit) == ("measured/seeds.json", [0, 1], "abc")
    assert both.figures == {"04_sft_chartqa": {"accuracy": [0.5, 0.6]}}
    assert (mine.place, mine.seeds) == ("runs/seeds.json", [0])
    assert [found.place for found in seeds.read_seeds("04_sft_chartqa", "05_dpo_preferences")] == ["measured/seeds.json"]


def test_an_interrupted_command_goes_on_with_the_seeds_that_it_lacks(runs):
    runs[1].add(1)
    with pytest.raises(RuntimeError, match="seed 1 failed"):
        measure_seeds(["04"], 3)
    runs[1].clear()
    measure_seeds(["04"], 3)
    assert runs[0] == [0, 1, 1, 2]


@pytest.mark.parametrize(("commit", "machine"), [("def", "a laptop"), ("abc+", "a laptop"), ("abc", "another machine")])
def test_another_state_of_the_course_or_another_machine_is_measured_anew(runs, monkeypatch, commit, machine):
    measure_seeds(["04"], 1)
    monkeypatch.setattr(seeds, "measured_by", lambda: {"commit": commit, "date": "today", "machine": machine})
    measure_seeds(["04"], 1)
    assert runs[0] == [0, 0]


def test_other_settings_are_measured_anew_and_not_kept(runs):
    measure_seeds(["04"], 1)
    measure_seeds(["04"], 1, {"MAX_STEPS": 3})
    assert runs[0] == [0, 0]
    with pytest.raises(UsageError, match="--keep takes no --set"):
        measure_seeds(["04"], 1, {"MAX_STEPS": 3}, keep=True)


def test_a_figure_that_some_seeds_lack_is_named():
    with pytest.raises(ValueError, match="not every seed has other"):
        collect({0: {"x": {"one": 1}}, 1: {"x": {"one": 1, "other": 2}}}, ["x"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lessons", "44"], "no lesson is called '44'"),
        (["--seeds", "0"], "at least 1"),
        (["--set", "SEED=3"], "the seeds are 0, 1, 2"),
        (["--set", "MAX_STEPS"], "it is --set NAME=VALUE"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(runs, capsys, words, said):
    assert main(["seeds", *words]) == 2
    assert said in capsys.readouterr().err
    assert not runs[0]
