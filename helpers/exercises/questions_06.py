"""What the exercises of lesson 06 check: the metric with its traps, two models compared, and a leak."""

import math

from helpers.exercises.checks import Case, Diagnosis, Function, Number
from helpers.exercises.exercise import Question
from helpers.exercises.relaxed_metric import CASES, match_otherwise, relaxed_match
from helpers.exercises.runs import read_run


def paired_p_value(first, second):
    wins = sum(a and not b for a, b in zip(first, second, strict=True))
    losses = sum(b and not a for a, b in zip(first, second, strict=True))
    return _two_sided(min(wins, losses), wins + losses)


def _two_sided(few: int, n: int) -> float:
    """Probability that a fair coin gives an outcome at least as lopsided as ``few`` of ``n``, either way."""
    return min(1.0, 2 * _tail(few, n))


def _tail(few: int, n: int) -> float:
    return sum(math.comb(n, i) for i in range(few + 1)) / 2**n


def _discordant(first, second) -> tuple[int, int]:
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    return only_first, sum(b and not a for a, b in zip(first, second, strict=True))


def _unpaired(first, second):
    a, b, n = sum(first), sum(second), len(first)
    pooled = (a + b) / (2 * n)
    if pooled in (0, 1):
        return 1.0
    return math.erfc(abs(a - b) / n / math.sqrt(2 * pooled * (1 - pooled) / n) / math.sqrt(2))


def _answers(both: int, only_first: int, only_second: int, neither: int) -> tuple[list[bool], list[bool]]:
    pairs = [(True, True)] * both + [(True, False)] * only_first + [(False, True)] * only_second + [(False, False)] * neither
    return [a for a, _ in pairs], [b for _, b in pairs]


def _questions(p: float = 0.9, half_width: float = 0.03, z: float = 1.96) -> float:
    return z**2 * p * (1 - p) / half_width**2


def _leaked(by) -> int:
    """Test rows that share with the training rows what ``by`` takes of a row."""
    facts = read_run("wigeon").facts
    seen = {by(row) for row in facts["training_rows"]}
    return sum(by(row) in seen for row in facts["test_rows"])


def _leaked_pictures() -> int:
    facts = read_run("wigeon").facts
    return len({row[0] for row in facts["test_rows"]} & {row[0] for row in facts["training_rows"]})


QUESTIONS = {
    "q1": Question(
        Function(
            "relaxed_match",
            relaxed_match,
            CASES,
            "Each of these rules moves scores by points. A figure says something only beside the metric's exact rules: "
            "this is the "
            "one that ChartQA's published scores use.",
            mistakes=(
                (lambda p, t: p.lower() == t.lower(), "that is exact match: numbers within 5 % of the target are right too"),
                (
                    lambda p, t: match_otherwise(p, t, equal=lambda true, said: true in said),
                    "an answer that merely contains the target is not right: that is another, kinder metric",
                ),
                (
                    lambda p, t: match_otherwise(p, t, clean=lambda text: text.strip(" .").replace(",", "")),
                    "nothing is cleaned away, neither a full stop nor a thousands comma: such scores can't be compared with "
                    "published ones",
                ),
                (lambda p, t: match_otherwise(p, t, zero=True), "a target of 0 is compared as text: '0.0' is not '0'"),
                (lambda p, t: match_otherwise(p, t, percent=False), "a percent sign divides by 100: '38%' is 0.38"),
                (
                    lambda p, t: match_otherwise(p, t, clean=lambda text: text.rstrip("%"), percent=False),
                    "a percent sign divides by 100, it isn't dropped: '38%' is not '38'",
                ),
                (
                    lambda p, t: match_otherwise(p, t, within=lambda a, b: abs(a - b) / abs(b) < 0.05),
                    "5 % itself still counts: at most, not less than",
                ),
                (
                    lambda p, t: match_otherwise(p, t, within=lambda a, b: abs(a - b) <= 0.05),
                    "5 % of the target, not 0.05 itself: divide the difference by it",
                ),
                (
                    lambda p, t: match_otherwise(p, t, within=lambda a, b: abs(a - b) <= 0.05 * abs(a)),
                    "that is 5 % of the prediction: the limit is 5 % of the target",
                ),
                (
                    lambda p, t: match_otherwise(p, t, within=lambda a, b: math.isclose(a, b, rel_tol=0.05)),
                    "math.isclose takes 5 % of the larger of the two: the limit is 5 % of the target",
                ),
                (
                    lambda p, t: match_otherwise(p, t, within=lambda a, b: abs(a - b) / b <= 0.05),
                    "where the target is negative, every number would be right: divide by its absolute value",
                ),
                (lambda p, t: match_otherwise(p, t, fold=str), "case doesn't count: compare lower-case texts"),
            ),
        ),
        (
            "A helper that turns a text into a number or None, with the percent sign handled, makes the rest three lines.",
            "If both are numbers and the target isn't 0: abs(p - t) / abs(t) <= 0.05. Otherwise compare the lower-case "
            "texts as "
            "they are.",
        ),
    ),
    "q2": Question(
        Function(
            "paired_p_value",
            paired_p_value,
            [
                Case(_answers(50, 12, 3, 35)),
                Case(_answers(10, 2, 9, 4)),
                Case(_answers(80, 5, 5, 10)),
                Case(_answers(6, 0, 0, 4), "Where the models never differ, nothing speaks for a difference: 1."),
                Case(_answers(0, 7, 0, 0)),
                Case(_answers(3, 6, 5, 9)),
            ],
            "On the same questions only those count on which the two models differ. That is much sharper than two "
            "intervals side by "
            "side.",
            mistakes=(
                (
                    lambda first, second: _tail(min(_discordant(first, second)), sum(_discordant(first, second))),
                    "that is one side: either model could have been the better one, so double it (and stop at 1)",
                ),
                (
                    lambda first, second: 2 * _tail(min(_discordant(first, second)), sum(_discordant(first, second))),
                    "no probability is above 1: two overlapping sides are counted twice",
                ),
                (
                    lambda first, second: _two_sided(min(_discordant(first, second)), len(first)),
                    "questions on which both models agree say nothing: n is the number of those on which they differ",
                ),
                (_unpaired, "that treats the two as asked different questions: it throws away which ones they differ on"),
                (
                    lambda first, second: _two_sided(
                        sum(_discordant(first, second)) - max(_discordant(first, second)) - 1, sum(_discordant(first, second))
                    ),
                    "the observed outcome itself belongs to 'at least as lopsided': sum up to and with it",
                ),
            ),
        ),
        (
            "Count the questions that only the first, and those that only the second got right. If both were equally "
            "good, each of "
            "these would be the toss of a coin.",
            "With n of them and k the smaller count: 2 * sum(comb(n, i) for i in 0..k) / 2**n, at most 1.",
        ),
    ),
    "q3": Question(
        Number(
            "questions",
            _questions,
            "questions",
            "Three points either way take hundreds of questions, one point takes thousands: most of the differences that are "
            "reported from small test sets are chance.",
            tolerance=0.02,
            mistakes=lambda: {
                math.sqrt(_questions()): "the square is missing: the interval shrinks with the root of the number of questions",
                _questions(p=0.5): "that is for an accuracy of a half, the worst case; at 0.9 fewer do",
                _questions(half_width=0.015): "that is for an interval 0.03 wide in all; here it is 0.03 to either side",
                _questions(z=1): "that is one standard error, a 68 % interval; 95 % takes 1.96 of them",
                _questions(z=2): "that takes 2 standard errors; 95 % takes 1.96 of them",
                _questions(z=1.645): "1.645 standard errors make a 90 % interval; 95 % takes 1.96",
                1.96**2 * 0.9 / 0.03**2: "p (1 - p), not p: the standard error is the root of p (1 - p) / n",
            },
        ),
        (
            "The standard error of a share p of n questions is the root of p (1 - p) / n.",
            "1.96 times that is 0.03: solve for n.",
        ),
    ),
    "q4": Question(
        Diagnosis(
            "wigeon",
            "contaminated test set",
            {
                "nothing is wrong": "both accuracies look alike, and the curve is healthy: now compare the rows of the "
                "two sets",
                "image tokens in the loss": "then the accuracy would not have risen",
                "learning rate too high": "then the loss would not fall so far, and the accuracy would be poor",
                "completion cut away": "then nothing would have been learnt; something was",
            },
            Number(
                "wigeon_evidence",
                lambda: _leaked(lambda row: row[0]),
                "test questions",
                "",
                mistakes=lambda: {
                    _leaked(lambda row: row[1]): "those share the words of a question; the same question about another "
                    "chart is no leak",
                    _leaked_pictures(): "those are pictures; several questions may be about one, and all of them have leaked",
                    _leaked(tuple): "those share picture *and* question; a chart that was trained on has leaked with all "
                    "its questions",
                    len(read_run("wigeon").facts["test_rows"]): "those are all; compare the pictures' fingerprints",
                },
            ),
            "A leak of half the test set, and the score shows nothing of it. Split by picture, before anything else, and "
            "compare fingerprints of what you train on with what you test "
            "on: one line "
            "of code, and no figure is believed without it.",
        ),
        (
            "No curve will tell you. Which of the test charts did the model see in its training?",
            "Put the fingerprints (the first entry of each row) of run.facts['training_rows'] into a set; count the test "
            "rows whose "
            "fingerprint is in it.",
        ),
    ),
}
