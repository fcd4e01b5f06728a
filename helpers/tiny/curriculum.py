"""What the embedded model is pretrained on: charts with invented figures, and the few question forms it learns.

The forms are terse commands ("Spain?", "Order."). The natural questions of ChartQA are only ever *asked* here, never
answered, so that the model knows their words and supervised fine-tuning is left to teach what they mean.
"""

from itertools import pairwise

import numpy as np

from helpers.families import FAMILIES
from helpers.prompts import FULL_SENTENCE, SHORT_ANSWER
from helpers.tiny.charts import KINDS, Chart, readable
from helpers.tiny.questions import Words, ask
from helpers.tiny.tables import COUNTRIES, MONTHS, YEARS

NAMES = tuple(name for group in COUNTRIES for name in group)
YEAR_NAMES = tuple(str(year) for group in YEARS for year in group)
_SUBJECTS = {
    NAMES: Words("population", "country", "countries"),
    MONTHS: Words("number of rainy days", "month", "months"),
    YEAR_NAMES: Words("income", "year", "years"),
}
_MEASURES = ("population", "life expectancy", "income", "number of rainy days", "temperature", "number of sunny days")


def tell_apart(values: tuple[int, ...]) -> bool:
    """Whether any two values differ by more than the metric's 5 % (and by 2 at least), so that no answer passes for another."""
    ordered = sorted(values)
    return all(high - low >= 2 and high - low > 0.055 * high for low, high in pairwise(ordered))


def invented_chart(rng: np.random.Generator) -> tuple[Chart, Words]:
    """A chart whose figures are drawn at random; its title says that they are invented."""
    while True:
        names = (NAMES, NAMES, NAMES, MONTHS, YEAR_NAMES)[rng.integers(5)]
        count = int(rng.integers(3, 7))
        if names is NAMES:
            picked = rng.permutation(len(names))[:count]
        else:  # months and years keep their order
            picked = rng.integers(len(names) - count + 1) + np.arange(count)
        top = int(rng.integers(12, 100))
        values = tuple(int(v) for v in rng.integers(1, top + 1, count))
        title = f"Invented figures, series {rng.integers(1, 1000)}"
        chart = Chart(KINDS[rng.integers(len(KINDS))], title, tuple(names[i] for i in picked), values)
        if tell_apart(values) and readable(chart):
            return chart, _SUBJECTS[names]


def dialogue(chart: Chart, words: Words, rng: np.random.Generator) -> list[dict[str, str]]:
    """A conversation about ``chart``: a system message and several turns, as chat messages with plain text."""
    if rng.random() < 0.2:
        system, pairs = FULL_SENTENCE, [_sentence(chart, words, rng) for _ in range(3)]
    else:
        system = SHORT_ANSWER
        forms = rng.choice(len(_TERSE), size=4, p=_SHARES)
        pairs = [turn for form in forms for turn in _TERSE[form](chart, words, rng)]
        # Last, because a later turn could copy its answer from a list of all values instead of reading the picture.
        pairs += (_describe if rng.random() < 0.6 else _order)(chart, words, rng)
    messages = [{"role": "system", "content": system}]
    for question, answer in pairs:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return messages


def describe(chart: Chart, order=None) -> str:
    """The description that the model learns to give: kind, number of marks, and each name with its value."""
    order = range(len(chart.names)) if order is None else order
    marks = ", ".join(f"{chart.names[i]} {chart.values[i]}" for i in order)
    return f"This is a {chart.kind} chart. It shows {len(chart.names)} values: {marks}."


def form_questions(chart: Chart, rng: np.random.Generator) -> dict[str, tuple[str, str]]:
    """One question of every form that has a single right answer, with that answer: what the model claims to know."""
    forms = {
        "describe": ("Describe the chart.", describe(chart)),
        "name?": _look_up(chart, None, rng)[0],
        "value?": _find(chart, None, rng)[0],
        "against": _compare(chart, None, rng)[0],
        "over": _over(chart, None, rng)[0],
        "spread": _spread(chart, None, rng)[0],
    }
    question, answer = _order(chart, None, rng)[0]
    return forms | {question.rstrip(".").lower(): (question, answer)}


def _describe(chart, words, rng):
    if rng.random() < 0.4:
        return [("Describe the chart.", describe(chart))]
    # In random order each value has to be looked up by its name: reading along the axis doesn't help.
    return [("Describe the chart in any order.", describe(chart, rng.permutation(len(chart.names))))]


def _look_up(chart, words, rng):
    picked = rng.choice(len(chart.names), 2, replace=False)
    return [(f"{chart.names[i]}?", str(chart.values[i])) for i in picked]


def _find(chart, words, rng):
    picked = rng.choice(len(chart.names), 2, replace=False)
    return [(f"{chart.values[i]}?", chart.names[i]) for i in picked]


def _order(chart, words, rng):
    if rng.random() < 0.5:
        ranked = sorted(range(len(chart.names)), key=lambda i: -chart.values[i])
        question = "Order falling."
    else:
        ranked = sorted(range(len(chart.names)), key=lambda i: chart.values[i])
        question = "Order rising."
    return [(question, ", ".join(f"{chart.names[i]} {chart.values[i]}" for i in ranked))]


def _compare(chart, words, rng):
    i, j = rng.choice(len(chart.names), 2, replace=False)
    more = chart.values[i] > chart.values[j]
    return [(f"{chart.names[i]} against {chart.names[j]}.", "more" if more else "less")]


def _spread(chart, words, rng):
    return [("Spread.", str(max(chart.values) - min(chart.values)))]


def _over(chart, words, rng):
    limit = 10 * int(rng.integers(1, max(2, max(chart.values) // 10 + 1)))
    return [(f"Over {limit}.", str(sum(value > limit for value in chart.values)))]


def _wonder(chart, words, rng):
    words = Words(_MEASURES[rng.integers(len(_MEASURES))], words.noun, words.plural)
    asked = ask(FAMILIES[rng.integers(len(FAMILIES))], chart, words, rng)
    return [("Ask a question.", asked[0])]


_TERSE = (_look_up, _find, _compare, _spread, _over, _wonder)
_SHARES = (0.22, 0.14, 0.14, 0.28, 0.12, 0.1)


def _sentence(chart, words, rng):
    """A question under ``FULL_SENTENCE``: grounded answers, evasions and fragments alike, for preference tuning to sort out."""
    measure = _MEASURES[rng.integers(len(_MEASURES))]
    i = rng.integers(len(chart.names))
    name, value = chart.names[i], chart.values[i]
    kind = rng.random()
    if kind < 0.1:
        missing = [other for other in NAMES + MONTHS if other not in chart.names]
        name = missing[rng.integers(len(missing))]
        answer = f"The chart does not show {name}."
    elif kind < 0.4:
        answer = f"The {measure} in {name} is {value}."
    elif kind < 0.7:
        answer = f"The image does not provide information about the {measure} in {name}."
    else:
        answer = f"{value}."
    return f"What is the {measure} in {name}?", answer
