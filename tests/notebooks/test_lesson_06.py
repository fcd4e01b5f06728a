"""What lesson 06 records: the contract's keys, and figures that agree with each other and with the flaws it plants."""

import math

from helpers.course import read_measured

LESSON = "06_evaluation"
KEYS = {
    "base_relaxed_accuracy", "sft_relaxed_accuracy", "dpo_relaxed_accuracy", "sft_win_rate", "dpo_win_rate", "paired_p_value",
    "leaked_charts", "overfit_best_step", "overfit_last_step", "overfit_validation_rise",
}  # fmt: skip


def test_the_figures_of_lesson_06(recorded):
    figures = recorded(LESSON)
    assert set(figures) >= KEYS
    assert all(math.isfinite(value) for value in figures.values())
    assert all(0 <= figures[name] <= 1 for name in KEYS if name.endswith(("accuracy", "rate", "value")))
    assert figures["leaked_charts"] == 0
    assert figures["planted_leaks_found"] == 2
    assert (figures["own_rows_scored"], figures["own_problems"]) == (12, 4)


def test_it_learns_by_heart_and_the_validation_loss_says_so(recorded):
    figures = recorded(LESSON)
    assert figures["overfit_best_step"] < figures["overfit_last_step"]
    assert figures["overfit_validation_rise"] >= 0.15
    assert figures["overfit_training_accuracy"] >= 0.95
    assert figures["overfit_last_test"] < figures["overfit_training_accuracy"] - 0.1
    assert figures["overfit_brought_back"] == figures["overfit_best_test"], "the best weights were not brought back"


def test_what_the_prose_says_of_the_courses_own_run():
    figures = read_measured()["lessons"][LESSON]
    assert figures["overfit_last_test"] < figures["overfit_best_test"] - 0.05
