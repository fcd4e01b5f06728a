"""What a model can do with drawn charts that it has never seen, by what it writes."""

import numpy as np

from helpers.evaluation import generate_answers
from helpers.tiny.charts import draw
from helpers.tiny.curriculum import form_questions, invented_chart


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


def charts_to_describe(count: int, seed: int = 20_000) -> list[dict]:
    """Invented charts with their truth, as :func:`helpers.evaluation.measure_old_skills` asks about them.

    Rows with ``image``, ``kind``, ``names`` and ``values``. No data set has them, so no model was trained on them.
    """
    rng = np.random.default_rng(seed)
    drawn = [invented_chart(rng)[0] for _ in range(count)]
    return [{"image": draw(chart, rng), "kind": chart.kind, "names": chart.names, "values": chart.values} for chart in drawn]
