"""What a model can do with drawn charts that it has never seen, by what it writes."""

import re
from dataclasses import dataclass

import numpy as np

from helpers.evaluation import generate_answers
from helpers.models import SHORT_ANSWER
from helpers.tiny.charts import draw
from helpers.tiny.curriculum import describe, form_questions, invented_chart


def measure_skills(
    model, processor, charts: int = 100, seed: int = 10_000, forms: tuple[str, ...] | None = None
) -> dict[str, float]:
    """Share of exactly right answers by question form, on ``charts`` invented charts drawn with ``seed``.

    ``forms``: only these, such as ``("describe",)``. The seed of the pretraining's charts is 0.
    """
    rng = np.random.default_rng(seed)
    asked: dict[str, tuple[list[dict], list[str]]] = {}
    for _ in range(charts):
        chart, words = invented_chart(rng)
        picture = draw(chart, rng)
        for form, (system, turn) in form_questions(chart, words, rng).items():
            if forms is None or form in forms:
                rows, truths = asked.setdefault((form, system), ([], []))
                rows.append({"image": picture, "query": turn.question})
                truths.append(turn.answer)
    shares = {}
    for (form, system), (rows, truths) in asked.items():
        answers = generate_answers(model, processor, rows, system=system, batch_size=64, max_new_tokens=48)
        shares[form] = float(np.mean([answer == truth for answer, truth in zip(answers, truths, strict=True)]))
    return shares


@dataclass(frozen=True)
class Description:
    """``exact``: share of descriptions that are right to the letter. ``stated``: share of marks named with their value."""

    exact: float
    stated: float


def measure_description(model, processor, charts: int = 50, seed: int = 20_000) -> Description:
    """Ask the model to describe invented charts drawn with ``seed``: what it knew before a fine-tuning, and knows after."""
    rng = np.random.default_rng(seed)
    drawn = [invented_chart(rng)[0] for _ in range(charts)]
    rows = [{"image": draw(chart, rng), "query": "Describe the chart."} for chart in drawn]
    texts = generate_answers(model, processor, rows, system=SHORT_ANSWER, max_new_tokens=48)
    stated = [
        _states(text, name, value)
        for text, chart in zip(texts, drawn, strict=True)
        for name, value in zip(chart.names, chart.values, strict=True)
    ]
    exact = [text == describe(chart) for text, chart in zip(texts, drawn, strict=True)]
    return Description(float(np.mean(exact)), float(np.mean(stated)))


def _states(text: str, name: str, value: int) -> bool:
    """Whether ``value`` follows ``name`` with at most four words between: "Spain 30", "Spain has a value of 30"."""
    return re.search(rf"\b{name}\b\W+(?:[a-zA-Z]+\W+){{0,4}}{value}\b", text) is not None
