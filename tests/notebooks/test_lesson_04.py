"""Lesson 04 run by papermill as a learner would: it must *learn*, and leave what the contract names."""

import json
import math
import re

from helpers.__main__ import main
from helpers.data import load_chartqa
from helpers.models import load_model

KEYS = {
    "base_relaxed_accuracy", "sft_relaxed_accuracy", "sft_exact_match", "blind_relaxed_accuracy", "base_contains_answer",
    "test_questions", "train_seconds", "train_samples_per_second", "trainable_parameters", "total_parameters",
    "peak_memory_mb", "adapter_bytes", "data_wait_share",
}  # fmt: skip
MARGIN = 0.25  # of relaxed accuracy, after a third of the lesson's steps


def figures(out):
    return json.loads((out / "results.json").read_text())["lessons"]["04_sft_chartqa"]


def test_accuracy_rises_on_charts_never_seen(taught):
    found = figures(taught)
    assert found["sft_relaxed_accuracy"] - found["base_relaxed_accuracy"] >= MARGIN, found
    assert found["sft_relaxed_accuracy"] > found["blind_relaxed_accuracy"] + MARGIN, "it answers without looking"


def test_all_figures_are_there_and_finite(taught):
    found = figures(taught)
    assert {key for key in found if not key.startswith("sft_kind_")} == KEYS
    assert len(found) == len(KEYS) + 7
    assert all(math.isfinite(value) for value in found.values())
    assert 0 < found["trainable_parameters"] < found["total_parameters"]
    assert found["test_questions"] == 300


def test_the_log_shows_gradients_and_both_losses(taught):
    log = [json.loads(line) for line in (taught / "04_sft_chartqa" / "log.jsonl").read_text().splitlines()]
    assert max(row["grad_norm"] for row in log if "grad_norm" in row) > 0
    losses = [row["loss"] for row in log if "loss" in row]
    assert 0 < losses[-1] < losses[0]
    assert any("eval_loss" in row for row in log)


def test_what_is_kept_can_be_used(taught):
    folder = taught / "04_sft_chartqa"
    load_model(str(folder / "merged"))
    row = load_chartqa("embedded", "test", 1)[0]
    row["image"].save(taught / "chart.png")
    from helpers.course import ask

    tuned = ask(str(taught / "chart.png"), row["query"], adapter=str(folder / "adapter"))
    assert tuned
    assert tuned == ask(str(taught / "chart.png"), row["query"], str(folder / "merged"))


def test_a_small_folder_of_own_pictures_and_few_steps(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    lines = ["image,question,answer"]
    for at, row in enumerate(load_chartqa("embedded", "train", 9)):
        row["image"].save(folder / f"{at}.png")
        lines.append(f"{at}.png,{row['query']},{row['label'][0]}")
    (folder / "questions.csv").write_text("\n".join(lines), encoding="utf-8")
    words = ["run", "04", "--profile", "tiny", "--out", str(tmp_path / "out")]
    assert main([*words, "--set", f"DATASET={folder}", "--set", "MAX_STEPS=3"]) == 0
    assert figures(tmp_path / "out")["test_questions"] >= 2


def test_the_report_shows_the_key_plots_with_alt_text(taught):
    page = (taught / "site" / "notebooks" / "04_sft_chartqa.html").read_text(encoding="utf-8")
    outputs = [word for word in re.findall(r"<img[^>]*>", page) if "_images/" in word]
    assert len(outputs) >= 3
    assert all(re.search(r'alt="[^"]{20,}', word) for word in outputs)
