"""The search on validation: which lessons it runs, with what, and what it writes into the card. The lessons are replaced."""

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.paths import EMBEDDED_MODEL
from helpers.tiny import read_made, tune

MADE = {
    "seed": 0, "commit": "abc", "date": "2026-11-27", "machine": "2 cores", "minutes": 50.0, "charts": 20_000, "unseen": 1_000,
    "skills": {"describe": 0.95, "order": 0.5}, "compared_right": {"0": 0.97, "1": 0.98},
}  # fmt: skip


@pytest.fixture
def searched(tmp_path, monkeypatch):
    """The commands that were run; a lesson's accuracy is its learning rate. Lessons in ``failing`` fail."""
    model, folder, commands, failing = tmp_path / "model", tmp_path / "out", [], set()
    shutil.copytree(EMBEDDED_MODEL, model)
    (model / "made.json").write_text(json.dumps(MADE))

    def run(command, cwd):
        lesson, out = command[command.index("run") + 1], Path(command[command.index("--out") + 1])
        settings = dict(word.split("=") for word in command if "=" in word)
        commands.append((lesson, settings))
        figures = {name: 0.5 for search in tune.SEARCHES for name in search.judges}
        figures["sft_relaxed_accuracy"] = 100 * float(settings.get("LEARNING_RATE", 2e-3))
        (out / f"{lesson}_some_name" / "merged").mkdir(parents=True, exist_ok=True)
        (out / "results.json").write_text(json.dumps({"lessons": {f"{lesson}_some_name": figures}}))
        return SimpleNamespace(returncode=int(lesson in failing))

    monkeypatch.setattr(subprocess, "run", run)
    return model, folder, commands, failing


def test_every_change_is_judged_on_validation_and_the_profile_last(searched):
    model, folder, commands, _ = searched
    tune.tune(model, folder)
    assert {settings["JUDGE"] for _, settings in commands} == {"val"}
    for search in tune.SEARCHES:
        judged = [settings for lesson, settings in commands if lesson == search.lesson]
        ran = judged[: len(search.changes)]  # more are starts of a later search
        assert len(ran) == len(search.changes)
        changed = {name for change in search.changes for name in change}
        assert not changed & ran[-1].keys(), "the next lesson builds on what the profile's values leave"
    rows = read_made(model)["tuned"]["04"]
    assert [row["sft_relaxed_accuracy"] for row in rows][:3] == pytest.approx([0.1, 0.3, 0.4])
    card = (model / "README.md").read_text()
    assert "| MAX_STEPS | EVAL_STEPS | LEARNING_RATE | LORA_RANK | sft_relaxed_accuracy | blind_relaxed_accuracy |" in card
    assert "| 260 | 65 | 0.003 | 16 | 0.3 | 0.5 |" in card
    assert "| 1 | 0.980 |" in card
    assert "has not mastered: order (`Order rising.`, 0.50)" in card


def test_what_fails_is_named_and_what_was_found_stays(searched):
    model, folder, _, failing = searched
    failing.add("05")
    with pytest.raises(RuntimeError, match=r"lesson 05 failed with \{.*'DPO_STEPS'"):
        tune.tune(model, folder)
    assert set(read_made(model)["tuned"]) == {"04"}


def test_one_lesson_alone(searched):
    model, folder, commands, _ = searched
    tune.tune(model, folder, ("05",))
    starts = [settings["SEED"] for lesson, settings in commands if lesson == "04"]
    assert starts == list(dict.fromkeys(settings.get("SEED", "0") for lesson, settings in commands if lesson == "05"))
    assert {lesson for lesson, _ in commands} == {"04", "05"}
