"""Lesson 05: the loss that it writes by hand, and what its run says; the two broken runs of its clinic among it."""

import ast
import json
import math
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers.__main__ import main
from helpers.course import base_of
from helpers.paths import MEASURED, NOTEBOOKS

LESSON = "05_dpo_preferences"
KEYS = {
    "sft_win_rate", "dpo_win_rate", "reward_accuracy", "reward_margin", "sft_relaxed_accuracy", "dpo_relaxed_accuracy",
    "train_seconds", "pairs_per_second",
}  # fmt: skip


def defined_in_the_lesson(function: str, names: dict):
    """The function as the notebook defines it; ``names``: what it calls."""
    for cell in nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.FunctionDef) and node.name == function:
                    exec(ast.unparse(node), names)
                    return names[function]
    raise AssertionError(f"the lesson no longer defines {function}")


@pytest.fixture(scope="module")
def dpo_loss():
    return defined_in_the_lesson("dpo_loss", {"F": F})


def test_the_hand_written_loss_is_the_published_one(dpo_loss, shared):
    vectors = json.loads((shared / "published" / "dpo_curves_and_vectors.json").read_text())["loss_vectors"]
    assert vectors
    for row in vectors:
        names = ("policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected", "beta")
        found = dpo_loss(*(torch.tensor(row[name], dtype=torch.float64) for name in names))
        assert found.item() == pytest.approx(row["loss_sigmoid"], abs=1e-6), row


def test_the_hand_written_loss_at_the_start_and_far_away(dpo_loss):
    start = torch.tensor([-3.0, -40.0])
    assert dpo_loss(start, start - 7, start, start - 7, 0.1).tolist() == pytest.approx([math.log(2)] * 2)
    zero, far = torch.tensor(0.0), torch.tensor(-1e4)
    assert dpo_loss(far, zero, zero, zero, 0.5).item() == pytest.approx(5000), (
        "the loss of a wrong margin grows in line with it"
    )
    assert dpo_loss(zero, far, zero, zero, 0.5).item() == pytest.approx(0)


def test_by_hand_follows_the_loss_that_is_configured(dpo_loss):
    chosen, rejected, zero = torch.tensor([-3.0, -1.0]), torch.tensor([-4.0, -5.0]), torch.zeros(2)
    batch = {"completion_mask": torch.tensor([[1, 1], [1, 0], [1, 1], [1, 1]])}
    config = SimpleNamespace(loss_type=["sigmoid", "sft"])
    names = {"four_log_probabilities": lambda model, batch: (chosen, rejected, zero, zero), "dpo_loss": dpo_loss, "BETA": 0.1}
    by_hand = defined_in_the_lesson("by_hand", names | {"config": config})
    alone = dpo_loss(chosen, rejected, zero, zero, 0.1).mean()
    assert by_hand(None, batch).item() == pytest.approx(alone.item() + 4 / 3)  # 4 nats on 3 chosen tokens
    config.loss_type = "sigmoid"
    assert by_hand(None, batch).item() == pytest.approx(alone.item())
    config.loss_type = ["sft"]
    assert by_hand(None, batch).item() == pytest.approx(4 / 3)


@pytest.mark.slow
def test_it_runs_without_practice(tmp_path):
    small = ("N_PRACTICE=0", "DPO_STEPS=2", "N_PAIRS=8", "N_TEST_PAIRS=8", "N_TEST=8", "CLINIC_STEPS=1", "N_CLINIC=4")
    small += ("MAX_STEPS=2", "EVAL_STEPS=1", "N_TRAIN=16", "N_VAL=4")  # of lesson 04, which it starts from
    words = [word for setting in small for word in ("--set", setting)]
    assert main(["run", "04", "05", "--profile", "tiny", "--out", str(tmp_path), *words]) == 0


@pytest.fixture(scope="module")
def outcome(taught):
    """Lesson 05 with less than half of its steps, on a lesson 04 with a third of its steps."""
    settings = ("DPO_STEPS=220", "N_TEST=140", "N_TEST_PAIRS=100", "CLINIC_STEPS=30", "N_CLINIC=60")
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["run", "05", "--profile", "tiny", "--out", str(taught), *words]) == 0
    return taught


@pytest.fixture(scope="module")
def figures(outcome) -> dict:
    return json.loads((outcome / "results.json").read_text())["lessons"][LESSON]


def test_all_figures_are_there(figures):
    assert set(figures) >= KEYS


def test_it_says_the_preferred_kind_of_answer_on_charts_never_seen(figures):
    assert figures["sft_win_rate"] <= 0.3, figures
    assert figures["dpo_win_rate"] >= figures["sft_win_rate"] + 0.3, figures
    assert figures["reward_accuracy"] >= 0.8, figures
    assert figures["dpo_relaxed_accuracy"] >= figures["sft_relaxed_accuracy"] - 0.06, figures


def test_the_hand_written_loss_is_trls(figures):
    assert figures["loss_difference"] < 1e-4


def test_too_high_a_learning_rate_looks_perfect_and_ruins_the_answers(figures):
    assert figures["too_fast_reward_accuracy"] >= 0.95
    assert figures["too_fast_reward_margin"] > figures["reward_margin"]
    assert figures["too_fast_accuracy"] <= figures["healthy_accuracy"] / 2, figures
    assert figures["too_fast_win_rate"] <= 0.1, figures


def test_a_short_run_of_the_dpo_loss_alone_does_not_say_what_it_prefers(figures):
    assert figures["suitable_win_rate"] <= figures["dpo_win_rate"] / 3, figures


def test_the_halves_of_the_loss_were_measured_as_the_lesson_says():
    kept = json.loads((MEASURED / "dpo_losses.json").read_text(encoding="utf-8"))
    names = ("sigmoid and sft, as in the lesson", "sigmoid alone", "sft alone, the chosen answers")
    both, dpo, sft = ({name: np.array(values) for name, values in kept["losses"][loss].items()} for loss in names)
    assert {len(values) for half in (both, dpo, sft) for values in half.values()} == {len(kept["seeds"])}
    assert (dpo["reward accuracy"] >= 0.95).all(), "it tells nearly all pairs apart, whatever the seed"
    assert (dpo["win rate after"] <= dpo["win rate before"] + 0.1).all(), "and answers nearly as before"
    assert (abs(sft["win rate after"] - both["win rate after"]) <= 0.03).all(), "the chosen answers give the whole's win rate"
    assert (both["reward accuracy"] > sft["reward accuracy"]).all(), "what the pairs add"
    assert np.ptp(sft["reward accuracy"]) > 0.2, "a single seed would have told the wrong story"


def test_a_cut_completion_is_a_silent_run_without_learning(figures):
    assert figures["cut_loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert figures["cut_grad_norm"] == 0


def test_the_adapter_starts_from_the_merged_model_of_lesson_04(outcome):
    assert (outcome / LESSON / "adapter" / "base_model.txt").read_text() == "../../04_sft_chartqa/merged"
    assert base_of(outcome / LESSON / "adapter") == str((outcome / "04_sft_chartqa" / "merged").resolve())
    assert (outcome / LESSON / "adapter" / "adapter_model.safetensors").stat().st_size > 0
