"""What the embedded model can do with charts it has never seen, by what it writes, form by form."""

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
    rows, truths = [], []
    for _ in range(charts):
        chart, _ = invented_chart(rng)
        picture = draw(chart, rng)
        for form, (question, answer) in form_questions(chart, rng).items():
            if forms is None or form in forms:
                rows.append({"image": picture, "query": question})
                truths.append((form, answer))
    answers = generate_answers(model, processor, rows, batch_size=64, max_new_tokens=48)
    hits: dict[str, list[bool]] = {}
    for answer, (form, truth) in zip(answers, truths, strict=True):
        hits.setdefault(form, []).append(answer == truth)
    return {form: float(np.mean(right)) for form, right in sorted(hits.items())}
