"""Questions about a chart, of the kinds that ChartQA asks, with answers computed from the chart's figures.

The kinds are those of :mod:`helpers.data.kinds`, which tells them from the words alone.
"""

from dataclasses import dataclass

import numpy as np

from helpers.tiny.charts import Chart


@dataclass(frozen=True)
class Words:
    """How a chart's subject is named in questions: "the *population* in Spain", "which *country*"."""

    measure: str
    noun: str
    plural: str


def ask(kind: str, chart: Chart, words: Words, rng: np.random.Generator) -> tuple[str, str]:
    """A question of the kind about the chart, and its true answer."""
    return _ASK[kind](chart, words, rng)


def _pick(rng: np.random.Generator, options):
    return options[rng.integers(len(options))]


def _value_by_name(chart, words, rng):
    i = rng.integers(len(chart.names))
    form = _pick(rng, ("What is the value for {name}?", "What is the {measure} in {name}?"))
    return form.format(name=chart.names[i], measure=words.measure), str(chart.values[i])


def _value_by_place(chart, words, rng):
    answers = {"highest": max(chart.values), "lowest": min(chart.values)}
    if chart.kind != "pie":
        answers |= {"first": chart.values[0], "last": chart.values[-1]}
    place = _pick(rng, list(answers))
    return f"What is the {place} value?", str(answers[place])


def _category(chart, words, rng):
    i = rng.integers(len(chart.names))
    form = _pick(rng, ("Which {noun} has a value of {value}?", "Where is the {measure} {value}?"))
    return form.format(noun=words.noun, measure=words.measure, value=chart.values[i]), chart.names[i]


def _extreme(chart, words, rng):
    place, value = _pick(rng, (("highest", max(chart.values)), ("lowest", min(chart.values))))
    return f"Which {words.noun} has the {place} {_pick(rng, ('value', words.measure))}?", chart.names[chart.values.index(value)]


def _yes_no(chart, words, rng):
    yes = bool(rng.integers(2))
    high, low = sorted(rng.choice(len(chart.values), 2, replace=False), key=lambda i: -chart.values[i])
    if rng.integers(2):
        first, second = (high, low) if yes else (low, high)
        question = f"Is the value for {chart.names[first]} higher than for {chart.names[second]}?"
    else:
        limit = (chart.values[high] + chart.values[low]) // 2
        question = f"Is the value for {chart.names[high if yes else low]} more than {limit}?"
    return question, "Yes" if yes else "No"


def _count(chart, words, rng):
    if rng.integers(2):
        return f"How many {words.plural} are shown?", str(len(chart.values))
    limit = 10 * int(rng.integers(1, max(2, max(chart.values) // 10 + 1)))
    return f"How many values are above {limit}?", str(sum(value > limit for value in chart.values))


def _difference(chart, words, rng):
    form = _pick(rng, ("What is the difference between the {} and the {} value?", "What is the difference of {} and {}?"))
    return form.format("highest", "lowest"), str(max(chart.values) - min(chart.values))


_ASK = {
    "value by name": _value_by_name, "value by place": _value_by_place, "category": _category, "extreme": _extreme,
    "yes/no": _yes_no, "count": _count, "difference": _difference,
}  # fmt: skip
