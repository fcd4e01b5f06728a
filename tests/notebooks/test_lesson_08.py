"""Lesson 08: advantages and loss by hand, rewards, and what its runs say; the broken ones of its clinic among them."""

import ast
import json
from itertools import islice

import nbformat
import numpy as np
import pytest
import torch
from trl.trainer.utils import RepeatSampler

from helpers.__main__ import main
from helpers.data import kind_of, load_chartqa
from helpers.evaluation import relaxed_match
from helpers.paths import NOTEBOOKS

LESSON = "08_grpo_rewards"
KEYS = {
    "start_relaxed_accuracy", "grpo_relaxed_accuracy", "sft_relaxed_accuracy", "start_reward", "grpo_reward",
    "zero_variance_share", "hacked_reward", "hacked_relaxed_accuracy", "train_seconds",
}  # fmt: skip


def defined_in_the_lesson(names: dict, *functions: str):
    """The functions as the notebook defines them; ``names``: what they call."""
    sources = (
        cell.source for cell in nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4).cells if cell.cell_type == "code"
    )
    found = {node.name: node for source in sources for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    for function in functions:
        exec(ast.unparse(found[function]), names)
    return names[functions[-1]]


def said(*texts: str) -> list:
    return [[{"role": "assistant", "content": text}] for text in texts]


def test_advantages_are_within_the_group():
    advantages_of = defined_in_the_lesson({"torch": torch}, "advantages_of")
    rewards = torch.tensor([1.0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0, 2, 4, 6])
    found = advantages_of(rewards, 4).view(3, 4)
    assert found[0].tolist() == pytest.approx([1.5, -0.5, -0.5, -0.5], abs=1e-3)
    assert found[1].tolist() == [0] * 4
    assert found[2].tolist() == pytest.approx([(r - 3) / np.std([0, 2, 4, 6], ddof=1) for r in (0, 2, 4, 6)], abs=1e-3)


def test_the_loss_moves_each_token_by_its_advantage_until_the_clip():
    grpo_loss = defined_in_the_lesson({"torch": torch}, "grpo_loss")
    old = torch.log(torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    new, mask = old.clone().requires_grad_(), torch.tensor([[1, 1], [1, 0]])
    grpo_loss(new, old, old, torch.tensor([1.0, -2.0]), mask).backward()
    assert new.grad.tolist() == [[pytest.approx(-1 / 3)] * 2, [pytest.approx(2 / 3), 0]]  # by the tokens that count
    far = (old + 0.5).requires_grad_()  # a ratio of 1.65: up far enough
    grpo_loss(far, old, old, torch.tensor([1.0, -2.0]), mask).backward()
    assert far.grad[0].tolist() == [0, 0]
    assert far.grad[1, 0] > 0, "a bad answer that became likelier is pulled back, however far it went"


def test_the_kl_term_is_zero_at_the_start_and_positive_elsewhere():
    grpo_loss = defined_in_the_lesson({"torch": torch}, "grpo_loss")
    start, mask, none = torch.log(torch.tensor([[0.2, 0.6]])), torch.ones(1, 2), torch.zeros(1)
    assert grpo_loss(start, start, start, none, mask, beta=1.0) == 0
    for moved in (start + 0.3, start - 0.3):
        assert grpo_loss(moved, moved, start, none, mask, beta=1.0) > 0


def test_rewards_forgive_the_blank_that_answers_begin_with():
    right = defined_in_the_lesson({"relaxed_match": relaxed_match}, "text_of", "right")
    labels = [["Spain"], ["Spain"], ["17"], ["17"]]
    assert right(said(" Spain", "spain", " 17.5", "21"), labels, query=["?"] * 4, trainer_state=None) == [1, 1, 1, 0]
    assert not relaxed_match(" Spain", ["Spain"])
    form = defined_in_the_lesson({}, "text_of", "form")
    assert form(said(" Spain", "", "It is 17"), label=labels) == [1, 0, 0]


def test_a_number_is_rewarded_by_its_nearness_in_steps_that_are_exact():
    near = defined_in_the_lesson({"relaxed_match": relaxed_match}, "text_of", "right", "near")
    labels = [["20"], ["20"], ["20"], ["-4"], ["20"], ["0"], ["0"], ["Spain"], ["20"], ["20"], ["3"]]
    found = near(said(" 20.9", "15", "70", "-5", "Spain", "1", "0", "spain", "nan", "inf", "2"), labels, query=["?"] * 11)
    assert found == [1, 0.75, 0, 0.75, 0, 0, 1, 1, 0, 0, 11 / 16]  # two thirds, to the next sixteenth
    cells = nbformat.read(NOTEBOOKS / f"{LESSON}.ipynb", as_version=4).cells
    (line,) = (line for cell in cells for line in cell.source.splitlines() if line.startswith("REWARDS, WEIGHTS = "))
    weights = torch.tensor(ast.literal_eval(line.rpartition(" = ")[2].partition("], ")[2]))
    points = (torch.arange(17) / 16).repeat(len(weights), 1)
    for group_size in (4, 6, 8):  # a group whose rewards are equal has no spread at all: TRL counts it by that
        alike = (points * weights.unsqueeze(1)).sum(0).unsqueeze(1).repeat(1, group_size)
        assert torch.equal(alike.mean(dim=1), alike[:, 0])


def test_few_questions_still_make_a_step():
    """TRL's sampler leaves out a step that has too few: a training of three steps on one question ended after none, its log
    empty, and the lesson failed when it looked into it."""
    assert list(RepeatSampler([0, 1, 2], mini_repeat_count=2, batch_size=4)) == []
    enough = defined_in_the_lesson({"GROUPS": 4}, "enough")
    rows = load_chartqa("embedded", "train", 6)
    for count, wanted in ((1, 4), (3, 4), (4, 4), (6, 6)):
        found = enough(rows.select(range(count)))
        assert len(found) == wanted
        assert found.with_format(None)["query"][:count] == rows.with_format(None)["query"][:count]


def test_by_hand_is_trls_and_a_kind_reward_teaches_nothing(recorded):
    figures = recorded(LESSON)
    assert set(figures) >= KEYS
    assert figures["advantage_difference"] < 1e-4
    assert figures["loss_difference"] < 1e-4
    assert (figures["zero_variance_reward"], figures["zero_variance_loss"], figures["zero_variance_grad_norm"]) == (1, 0, 0)
    assert figures["command_difference"] < 1e-4


@pytest.fixture(scope="module")
def measured(kept_seeds) -> dict:
    return kept_seeds(LESSON)


def test_what_the_prose_says_of_a_checker_alone_is_true_of_every_seed(measured):
    gain = measured["grpo_relaxed_accuracy"] - measured["start_relaxed_accuracy"]
    assert gain.mean() >= 0.12, gain
    assert gain.min() >= 0.06, gain
    assert (measured["grpo_reward"] > measured["start_reward"]).all()


def test_what_was_held_back_and_could_be_done_is_kept(measured):
    assert (measured["start_value_by_name"] >= 0.3).all()
    assert (measured["start_value_by_name"] - measured["grpo_value_by_name"] <= 0.05).all()


def test_descriptions_that_nobody_practised_survive_the_checker_and_not_the_demonstrations(measured):
    assert measured["grpo_described"].mean() >= measured["start_described"].mean()
    assert (measured["grpo_described"] >= measured["start_described"] - 0.1).all()
    assert (measured["sft_described"] <= measured["start_described"] / 2).all()


def test_what_is_never_right_is_never_rewarded(measured):
    assert (measured["never_reward"] == 0).all()


def test_a_hacked_reward_rises_and_ruins_the_answers(measured):
    assert (measured["hacked_reward"] > measured["hacked_first_reward"] + 0.1).all()
    hacked, healthy = measured["hacked_relaxed_accuracy"], measured["healthy_relaxed_accuracy"]
    assert (hacked <= healthy / 3).all()
    assert (measured["hacked_clipped_ratio"] > 0.5).all()


@pytest.mark.slow
def test_a_reward_that_can_be_hacked_is(tmp_path):
    small = ("GRPO_STEPS=2", "N_TEST=120", "N_CLINIC=120", "DESCRIBED_CHARTS=2")
    words = [word for setting in small for word in ("--set", setting)]
    assert main(["run", "08", "--profile", "tiny", "--out", str(tmp_path), *words]) == 0
    figures = json.loads((tmp_path / "results.json").read_text())["lessons"][LESSON]
    assert figures["hacked_reward"] > figures["hacked_first_reward"] + 0.1, figures
    assert figures["hacked_relaxed_accuracy"] <= figures["healthy_relaxed_accuracy"] / 3, figures


@pytest.mark.slow
def test_few_questions_of_few_kinds(tmp_path):
    """As somebody's own file may have: fewer than a training asks for, and no question of a kind that is held back."""
    folder = tmp_path / "mine"
    folder.mkdir()
    lines = ["image,question,answer"]
    rows = (row for row in load_chartqa("embedded", "train", 400) if kind_of(row["query"]) in ("count", "yes/no"))
    for at, row in enumerate(islice(rows, 40)):
        row["image"].save(folder / f"{at}.png")
        lines.append(f"{at}.png,{row['query']},{row['label'][0]}")
    (folder / "questions.csv").write_text("\n".join(lines), encoding="utf-8")
    small = (f"DATASET={folder}", "START_STEPS=2", "GRPO_STEPS=3", "HACK_STEPS=2", "DESCRIBED_CHARTS=2")
    words = [word for setting in small for word in ("--set", setting)]
    assert main(["run", "08", "--profile", "tiny", "--out", str(tmp_path / "out"), *words]) == 0
    figures = json.loads((tmp_path / "out" / "results.json").read_text())["lessons"][LESSON]
    assert {name for name in figures if name.startswith("grpo_")} >= {"grpo_count", "grpo_yes_no"}
