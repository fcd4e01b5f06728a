"""The metric has ChartQA's published semantics, and batching doesn't change answers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers.data import load_chartqa
from helpers.evaluation import (
    PairedTest,
    WithOtherCharts,
    bootstrap_interval,
    generate_answers,
    paired_test,
    relaxed_accuracy,
    relaxed_match,
)


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        ("10.5", "10", True),  # exactly 5 % off, inclusive
        ("10.6", "10", False),
        ("9.5", "10", True),
        ("1.05", "1", False),  # binary floats decide the edge
        ("2010", "2015", True),  # years are ordinary numbers
        ("0.0", "0", False),  # a target of zero is compared as text
        ("0", "0", True),
        ("38%", "38", False),
        ("0.38", "38%", True),
        ("1,000", "1000", False),
        ("spain", "Spain", True),
        ("Spain ", "Spain", False),  # nothing is stripped
        ("nan", "nan", False),  # a number, and no number equals it
        ("-5", "-5.2", True),
        ("5", "Yes", False),
        ("", "5", False),
    ],
)
def test_relaxed_match(prediction, target, expected):
    assert relaxed_match(prediction, target) is expected


def test_a_list_target_matches_if_any_element_does():
    assert relaxed_match("7", ["3", "7"])
    assert not relaxed_match("8", ["3", "7"])


def test_published_vectors(shared):
    vectors = json.loads((shared / "published" / "relaxed_accuracy_vectors.json").read_text())["vectors"]
    wrong = [v for v in vectors if relaxed_match(v["pred"], v["target"]) != v["expected"]]
    assert len(vectors) >= 40
    assert not wrong


def test_relaxed_accuracy_refuses_nothing_and_unequal_lengths():
    assert relaxed_accuracy(["3", "x"], ["3", "y"]) == 0.5
    for predictions, targets in (([], []), (["1"], ["1", "2"])):
        with pytest.raises(ValueError, match="predictions"):
            relaxed_accuracy(predictions, targets)


def test_the_bootstrap_interval_holds_the_mean_and_narrows_with_more_questions():
    low, high = bootstrap_interval([1, 0] * 50)
    assert low < 0.5 < high
    narrow = bootstrap_interval([1, 0] * 800)
    assert narrow[1] - narrow[0] < (high - low) / 2
    assert bootstrap_interval([1, 0, 1], seed=3) == bootstrap_interval([1, 0, 1], seed=3)


def test_the_bootstrap_interval_of_many_questions_is_that_of_the_normal_distribution():
    scores = np.arange(1000) / 1000
    half = 1.96 * scores.std() / np.sqrt(1000)  # 95 %
    found = [bootstrap_interval(scores, seed) for seed in range(6)]
    assert len(set(found)) == 6, "each seed draws anew"
    for low, high in found:
        assert high - low == pytest.approx(2 * half, rel=0.06)
        assert (low + high) / 2 == pytest.approx(scores.mean(), abs=0.1 * half)


def test_the_paired_test_counts_only_what_one_model_alone_gets_right():
    both, first, second, neither = (True, True), (True, False), (False, True), (False, False)
    scores = [both] * 40 + [first] * 2 + [second] * 10 + [neither] * 8
    found = paired_test(*zip(*scores, strict=True))
    assert (found.only_first, found.only_second) == (2, 10)
    assert found.p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)  # the tails of twelve throws of a coin, by hand
    assert found.difference == pytest.approx(8 / 60)
    assert found.low < found.difference < found.high
    mirrored = paired_test(*zip(*[(b, a) for a, b in scores], strict=True))
    assert mirrored.p_value == found.p_value
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=0.02)
    other = paired_test(*zip(*scores, strict=True), seed=1)
    assert other.p_value == found.p_value
    assert bootstrap_interval([b - a for a, b in scores], seed=1) == (other.low, other.high)
    assert mirrored.difference == -found.difference
    assert paired_test(*zip(*[pair for pair in scores if pair[0] != pair[1]], strict=True)).p_value == found.p_value


def test_a_comparison_is_said_with_its_verdict():
    ten, none = [True] * 10, [False] * 10
    for first, second, verdict in ((none, ten, "better"), (ten, none, "worse"), (ten, ten, "undecided")):
        assert str(paired_test(first, second)).endswith(f": {verdict}")


def test_a_difference_that_may_be_none_is_undecided_however_small_p_is():
    may_be_none = PairedTest(only_first=2, only_second=10, difference=0.1, low=-0.01, high=0.2, p_value=0.04)
    assert may_be_none.verdict == "undecided"
    assert replace(may_be_none, low=0.01).verdict == "better"
    assert replace(may_be_none, difference=-0.1, low=-0.2, high=-0.01).verdict == "worse"


def test_few_questions_decide_nothing_though_their_interval_leaves_zero_out():
    found = paired_test([False] * 5, [True] * 5)
    assert (found.low, found.high) == (1, 1)
    assert found.verdict == "undecided"
    assert found.p_value == pytest.approx(2 / 2**5)
    assert paired_test([False] * 6, [True] * 6).verdict == "better"


def test_the_paired_test_of_equal_models_of_many_questions_and_of_none():
    assert paired_test([1, 0, 1], [1, 0, 1]).p_value == 1
    assert paired_test([1, 0] * 3, [0, 1] * 3).p_value == 1
    assert 0 < paired_test([False] * 900, [True] * 900).p_value < 1e-200
    for first, second in (([], []), ([1], [1, 0])):
        with pytest.raises(ValueError, match="same questions"):
            paired_test(first, second)


def test_batched_answers_equal_answers_one_at_a_time(model, processor):
    rows = load_chartqa("embedded", "test", 40)
    processor.tokenizer.padding_side = "right"
    model.train()
    batched = generate_answers(model, processor, rows, batch_size=16)
    assert processor.tokenizer.padding_side == "right"
    assert model.training
    model.eval()
    assert batched == generate_answers(model, processor, rows, batch_size=1)
    assert all(answer == answer.strip() for answer in batched)
    assert len(set(batched)) > 5, "the answers hardly differ: is the picture seen at all?"


def test_with_other_charts_keeps_questions_and_changes_every_picture():
    rows = load_chartqa("embedded", "test", 12)
    other = WithOtherCharts(rows)
    assert len(other) == 12
    for at in range(12):
        assert other[at]["query"] == rows[at]["query"]
        assert other[at]["image"].tobytes() != rows[at]["image"].tobytes()
