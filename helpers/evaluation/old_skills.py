"""What a fine-tuning may cost, measured by what any model can be asked: to describe a chart, and a few plain questions.

Without an instruction of ours, as the base model was made to be talked to: a system message that a training used would ask for
its habits as well. Counted is what an answer states, whatever its form: no model's own wording is asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.evaluation.generate import generate_answers


@dataclass(frozen=True)
class OldSkills:
    """``stated``: share of the marks of the described charts that are named with their value. ``plain``: share of the plain
    questions that are answered right. ``descriptions``: what was said, in the charts' order."""

    stated: float
    plain: float
    descriptions: list[str]

    def __str__(self) -> str:
        return f"{self.stated:.2f} of the marks stated with their value, {self.plain:.2f} of the plain questions right"


def measure_old_skills(
    model, processor, charts: Sequence[dict], *, question: str, max_new_tokens: int, batch_size: int = 32
) -> OldSkills:
    """Ask ``question`` and one plain question about each chart.

    ``charts``: rows with ``image`` and the truth: ``kind`` (a word or two), ``names`` and ``values`` of the marks
    (:func:`helpers.tiny.charts_to_describe` draws some). ``max_new_tokens``: room for a description.
    """
    how = {"system": None, "batch_size": batch_size}
    rows = [{"image": chart["image"], "query": question} for chart in charts]
    descriptions = generate_answers(model, processor, rows, max_new_tokens=max_new_tokens, **how)
    stated = [
        states(text, name, value)
        for text, chart in zip(descriptions, charts, strict=True)
        for name, value in zip(chart["names"], chart["values"], strict=True)
    ]
    asked = [plain_question(chart, at) for at, chart in enumerate(charts)]
    rows = [{"image": chart["image"], "query": query} for chart, (query, _) in zip(charts, asked, strict=True)]
    answers = generate_answers(model, processor, rows, max_new_tokens=24, **how)
    plain = [says_one_of(answer, accepted) for answer, (_, accepted) in zip(answers, asked, strict=True)]
    return OldSkills(float(np.mean(stated)), float(np.mean(plain)), descriptions)


def plain_question(chart: dict, at: int) -> tuple[str, Sequence[str]]:
    """The ``at``-th plain question, about the picture, about the text in it, or about neither; and the words that answer it."""
    asked = (
        ("What kind of chart is this?", [chart["kind"].split()[-1]]),
        ("Which names are written in this chart?", chart["names"]),
        ("What is the capital of France?", ["Paris"]),
        ("Is this a chart or a photograph?", ["chart"]),
        ("Which month comes after May?", ["June"]),
        ("What is two plus three?", ["5", "five"]),
    )
    return asked[at % len(asked)]


def states(text: str, name: str, value: int) -> bool:
    """Whether ``value`` follows ``name`` with at most four words between: "Spain 30", "Spain has a value of 30".

    It is the whole number: 30 is stated neither by 30.5 or 30,000 nor, with a sign that isn't a dash after a word, by -30.
    """
    between = r"\W+(?:[a-zA-Z]+\W+){0,4}"
    return re.search(rf"\b{re.escape(name)}\b{between}(?<!\W[-−]){value}\b(?![.,]\d)", text) is not None


def says_one_of(text: str, accepted: Sequence[str]) -> bool:
    """Whether one of the words stands in the text, in capitals or not, and not only to be denied: "not a chart"."""
    denied = r"(?P<denied>(?:\bno|\bnot|n['’]t)\s+(?:(?:an?|any|the|really)\s+)*)?"
    found = (re.finditer(rf"{denied}\b{re.escape(word)}\b", text, re.IGNORECASE) for word in accepted)
    return any(not one["denied"] for each in found for one in each)
