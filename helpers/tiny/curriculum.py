"""What the embedded model is pretrained on: charts with invented figures, and the few question forms it learns.

The forms are terse commands ("Spain?", "Order rising."). The natural questions of ChartQA are only ever *asked* here,
never answered with a word or number, so that the model knows their words and supervised fine-tuning is left to teach
what they mean.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from helpers.data import QUESTION_KINDS
from helpers.models import FULL_SENTENCE, SHORT_ANSWER
from helpers.tiny.charts import KINDS, Chart, readable, reading_order
from helpers.tiny.questions import Words, ask
from helpers.tiny.tables import COUNTRIES, MONTHS, YEARS

NAMES = tuple(name for group in COUNTRIES for name in group)
YEAR_NAMES = tuple(str(year) for group in YEARS for year in group)
_SUBJECTS = {
    NAMES: Words("population", "country", "countries"),
    MONTHS: Words("number of rainy days", "month", "months"),
    YEAR_NAMES: Words("income", "year", "years"),
}
UNITS = {
    "population": "million", "life expectancy": "years", "income": "thousand dollars", "number of rainy days": "days",
    "temperature": "degrees", "number of sunny days": "days",
}  # fmt: skip
_MORE, _LESS = ("over", "higher than", "more than"), ("under", "lower than", "less than")


@dataclass(frozen=True)
class Turn:
    """A question and its answer. ``in_mind``: the two values whose difference the answer is.

    Not for comparisons: two values in mind at one place don't say which is which, and with them comparisons came 300 steps
    later.
    """

    question: str
    answer: str
    in_mind: tuple[int, int] | None = None


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


def conversation(chart: Chart, words: Words, rng: np.random.Generator) -> tuple[str, list[Turn]]:
    """A conversation about ``chart``: a system message and several turns."""
    if rng.random() < 0.2:
        forms = (*_SENTENCES, _describe)
        return FULL_SENTENCE, [_pick(rng, forms)(chart, words, rng) for _ in range(3)]
    forms = rng.choice(len(_TERSE), size=5, p=_SHARES)
    turns = [_TERSE[form](chart, words, rng) for form in forms]
    whole = (_describe if rng.random() < 0.75 else _order)(chart, words, rng)
    # Mostly last: a later turn could copy its answer from a list of all values instead of reading the picture.
    return SHORT_ANSWER, [whole, *turns[:1]] if rng.random() < 0.25 else [*turns, whole]


def describe(chart: Chart, order=None) -> str:
    """The description that the model learns to give: kind, number of marks, and each name with its value."""
    order = reading_order(chart) if order is None else order
    marks = ", ".join(f"{chart.names[i]} {chart.values[i]}" for i in order)
    return f"This is a {chart.kind} chart. It shows {len(chart.names)} values: {marks}."


def form_questions(chart: Chart, words: Words, rng: np.random.Generator) -> dict[str, tuple[str, Turn]]:
    """One question of every form that has a single right answer: form -> (system message, turn)."""
    forms = {"describe": (SHORT_ANSWER, Turn("Describe the chart.", describe(chart)))}
    for name, form in _CLAIMED.items():
        system = FULL_SENTENCE if form in _SENTENCES else SHORT_ANSWER
        forms[name] = (system, form(chart, words, rng))
    return forms


def _pick(rng: np.random.Generator, options):
    return options[rng.integers(len(options))]


def _describe(chart, words, rng):
    if rng.random() < 0.65:
        return Turn("Describe the chart.", describe(chart))
    # In random order each value has to be looked up by its name: reading along the axis doesn't help.
    return Turn("Describe the chart in any order.", describe(chart, rng.permutation(len(chart.names))))


def _order(chart, words, rng):
    falling = rng.random() < 0.5
    ranked = sorted(range(len(chart.names)), key=lambda i: chart.values[i], reverse=falling)
    return Turn(
        f"Order {'falling' if falling else 'rising'}.", ", ".join(f"{chart.names[i]} {chart.values[i]}" for i in ranked)
    )


def _look_up(chart, words, rng):
    i = rng.integers(len(chart.names))
    return Turn(f"{chart.names[i]}?", str(chart.values[i]))


def _find(chart, words, rng):
    i = rng.integers(len(chart.names))
    return Turn(f"{chart.values[i]}?", chart.names[i])


def _end(chart, rng) -> tuple[str, int]:
    """One of a chart's ends, and the index of the mark there. A pie has no left and right."""
    ends = {"Top": chart.values.index(max(chart.values)), "Bottom": chart.values.index(min(chart.values))}
    if chart.kind != "pie":
        ends |= {"First": 0, "Last": len(chart.values) - 1}
    return _pick(rng, list(ends.items()))


def _end_value(chart, words, rng):
    end, i = _end(chart, rng)
    return Turn(f"{end} number.", str(chart.values[i]))


def _end_name(chart, words, rng):
    end, i = _end(chart, rng)
    return Turn(f"{end} {words.noun}.", chart.names[i])


def _two(chart, rng) -> tuple[str, int, str, int]:
    """A name with its value, and another name or a number between values to hold against it."""
    i, j = rng.choice(len(chart.names), 2, replace=False)
    if rng.random() < 0.5:
        return chart.names[i], chart.values[i], chart.names[j], chart.values[j]
    limit = (chart.values[i] + chart.values[j]) // 2
    return chart.names[i], chart.values[i], str(limit), limit


def _compare(chart, words, rng):
    name, value, other, limit = _two(chart, rng)
    return Turn(f"{name} against {other}.", "more" if value > limit else "less")


def _judge(chart, words, rng):
    name, value, other, limit = _two(chart, rng)
    # Mostly one side. More and less equally often is an exclusive or; asked so, answers were still at chance at the end.
    more = rng.random() < 0.9
    than = _pick(rng, _MORE if more else _LESS)
    return Turn(f"{name} {than} {other}, yes or no?", "Yes" if (value > limit) == more else "No")


def _spread(chart, words, rng):
    high, low = max(chart.values), min(chart.values)
    return Turn(_pick(rng, ("Spread.", "Top minus bottom.")), str(high - low), (high, low))


def _over(chart, words, rng):
    limit = 10 * int(rng.integers(1, max(2, max(chart.values) // 10 + 1)))
    return Turn(f"{_pick(rng, ('Over', 'Above'))} {limit}.", str(sum(value > limit for value in chart.values)))


def _size(chart, words, rng):
    return Turn("Size.", str(len(chart.values)))


def _wonder(chart, words, rng):
    words = Words(_pick(rng, list(UNITS)), words.noun, words.plural)
    return Turn("Ask a question.", ask(_pick(rng, QUESTION_KINDS), chart, words, rng)[0])


_TERSE = (_look_up, _find, _end_value, _end_name, _compare, _judge, _spread, _over, _size, _wonder)
_SHARES = (0.12, 0.12, 0.06, 0.05, 0.19, 0.19, 0.13, 0.07, 0.02, 0.05)


def _sentence_value(chart, words, rng):
    i = rng.integers(len(chart.names))
    return Turn(f"{chart.names[i]}?", f"The value for {chart.names[i]} is {chart.values[i]}.")


def _sentence_name(chart, words, rng):
    i = rng.integers(len(chart.names))
    return Turn(f"{chart.values[i]}?", f"The value {chart.values[i]} belongs to {chart.names[i]}.")


def _bad_habits(chart, words, rng):
    """A natural question, with grounded answers, evasions and fragments alike: preference tuning can sort them out."""
    measure, unit = _pick(rng, list(UNITS.items()))
    i = rng.integers(len(chart.names))
    name, value = chart.names[i], f"{chart.values[i]} {unit}"
    grounded = (
        f"The {measure} in {name} is {value}.", f"In {name}, the {measure} is {value}.",
        f"The chart shows a {measure} of {value} for {name}.",
    )  # fmt: skip
    kind = rng.random()
    if kind < 0.12:
        name = _pick(rng, [other for other in NAMES + MONTHS + YEAR_NAMES if other not in chart.names])
        grounded = (f"The chart does not show {name}.", f"{name} is not shown in the chart.")
        kind = rng.uniform(0.12, 0.6)
    evasive = (
        f"The image does not provide information about the {measure} in {name}.",
        f"I cannot tell the {measure} in {name} from this chart.",
    )
    answer = _pick(rng, grounded) if kind < 0.42 else _pick(rng, evasive) if kind < 0.8 else f"{value}."
    return Turn(f"What is the {measure} in {name}?", answer)


_SENTENCES = (_sentence_value, _sentence_name, _bad_habits, _bad_habits)
_CLAIMED = {
    "name?": _look_up, "value?": _find, "end number": _end_value, "end name": _end_name, "against": _compare,
    "yes or no": _judge, "spread": _spread, "over": _over, "size": _size, "order": _order,
    "name? in a sentence": _sentence_value, "value? in a sentence": _sentence_name,
}  # fmt: skip
