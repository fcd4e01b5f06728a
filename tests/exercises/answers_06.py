"""Answers that learners may give to the exercises of lesson 06, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

import math

from tests.exercises.answers import diagnosis, returns


def relaxed(
    numbers: str = "abs(p - t) / abs(t) <= 0.05", guard: str = "p is not None and t", texts: str = "{p}.lower() == {t}.lower()"
):
    """A relaxed_match with one part written otherwise."""
    code = f"""relaxed_match(prediction, target):
    def number(text):
        try:
            return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
        except ValueError:
            return None
    p, t = number(prediction), number(target)
    if {guard}:
        return {numbers}
    return {texts.format(p="prediction", t="target")}"""
    return returns(code)


WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        (returns("relaxed_match(p, t): return p.lower() == t.lower()"), "exact match"),
        (relaxed(texts="{t}.lower() in {p}.lower()"), "merely contains the target"),
        (relaxed(guard="p is not None and t is not None", numbers="abs(p - t) <= 0.05 * abs(t)"), "'0.0' is not '0'"),
        (relaxed(numbers="abs(p - t) / abs(t) < 0.05"), "at most, not less than"),
        (relaxed(numbers="abs(p - t) / t <= 0.05"), "every number would be right"),
        (relaxed(numbers="abs(p - t) <= 0.05 * abs(p)"), "5 % of the prediction"),
        (relaxed(numbers="abs(p - t) / abs(p) <= 0.05"), "the prediction, which may be 0"),
        (relaxed(numbers="abs(p - t) / max(abs(p), abs(t)) <= 0.05"), "the larger of the two"),
        (relaxed(texts="{p} == {t}"), "case doesn't count"),
        (relaxed(texts="{p}.lower().rstrip('.') == {t}.lower()"), "Nothing is removed"),
        (relaxed(guard="p is not None"), "ZeroDivisionError"),
    ],
    "q2": [
        (
            returns(
                "paired_p_value(a, b):\n  w = sum(x and not y for x, y in zip(a, b)); l = sum(y and not x for x, y in zip(a, b))\n"
                "  return sum(math.comb(w + l, i) for i in range(min(w, l) + 1)) / 2 ** (w + l)",
                math=math,
            ),
            "double it",
        ),
        (
            returns(
                "paired_p_value(a, b):\n  w = sum(x and not y for x, y in zip(a, b)); l = sum(y and not x for x, y in zip(a, b))\n"
                "  return 2 * sum(math.comb(w + l, i) for i in range(min(w, l) + 1)) / 2 ** (w + l)",
                math=math,
            ),
            "no probability is above 1",
        ),
        (
            returns(
                "paired_p_value(a, b):\n  w = sum(x and not y for x, y in zip(a, b)); l = sum(y and not x for x, y in zip(a, b)); n = len(a)\n"
                "  return min(1, 2 * sum(math.comb(n, i) for i in range(min(w, l) + 1)) / 2 ** n)",
                math=math,
            ),
            "agree say nothing",
        ),
        (returns("paired_p_value(a, b): return abs(sum(a) - sum(b)) / len(a)"), "it is"),
    ],
    "q3": [
        ({"questions": 19.6}, "the square is missing"),
        ({"questions": 1067}, "the worst case"),
        ({"questions": 1537}, "to either side"),
        ({"questions": 100}, "68 % interval"),
        ({"questions": 400}, "takes 2 standard errors"),
        ({"questions": 3842}, "p (1 - p), not p"),
    ],
    "q4": [
        (diagnosis("wigeon", "nothing is wrong", 24), "compare the rows of the two sets"),
        (diagnosis("wigeon", "learning rate too high", 24), "would be poor"),
        (diagnosis("wigeon", "contaminated test set", 48), "compare the pictures' fingerprints"),
        (diagnosis("wigeon", "contaminated test set", 1), "too small"),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q3": [{"questions": 384}, {"questions": 385.0}],
}
