"""The judge knows the chart, not the wording: paraphrases pass, and what only looks right doesn't."""

import math

import pytest
from datasets import Dataset

from helpers.data import SPLITS
from helpers.evaluation import KINDS, judge_answer, judge_answers
from helpers.paths import EMBEDDED_PREFERENCES

SPAIN = {"entity": "Spain", "value": 28.0, "unit": "million"}
ABSENT = SPAIN | {"value": None}

PARAPHRASES = [
    "Spain had a population of about 28 million people",
    "28 million people lived in Spain in 1952.",
    "Spain's population: 28,000,000",
    "With 28 000 000 people, Spain comes third.",
    "SPAIN: 28M",
    "Spain’s population was roughly 28.2 million — more than Italy had.",
    "Spain counted twenty-eight million inhabitants (1952).",
    "In 1952 some 2.8e7 people lived in Spain.",
    "Not 35 but 28 million people live in Spain.",
    "Spain's population, 28 million, is not large.",
    "I'd read 28 million off the bar for **Spain**.",
    "28 million people live in Spain, which is not the highest number.",
    "The bar of Spain ends at 28 million (28,000,000).",
    "No other bar is as close to the middle as Spain's 28 million.",
    "It is not 35; the figure for Spain is 28.",
    "Spain has 28 million rather than 35.",
    "28 million not 35 live in Spain.",
    "There is no doubt that Spain has 28 million.",
    "It is not hard to read: Spain stands at 28 million.",
    "If you look at Spain, you find twenty eight.",
]
NOT_PREFERRED = [
    ("Spain or Italy has 28 or 35", "unclear"),
    ("Spain or Italy has 28 million.", "unclear"),
    ("Spain has 28 million, Italy has 35.", "unclear"),
    ("Spain has between 28 and 35 million.", "unclear"),
    ("Spain has 28-35 million.", "unclear"),
    ("Spain does not have 28 million.", "unclear"),
    ("It isn't true that Spain has 28 million.", "unclear"),
    ("28 million is wrong for Spain.", "unclear"),
    ("28 million is not what Spain has.", "unclear"),
    ("Spain is far from 28 million.", "unclear"),
    ("Does Spain have 28 million?", "unclear"),
    ("Spain has 28,5 million.", "unclear"),  # no decimal comma: two numbers
    ("Spain.", "unclear"),
    ("The chart shows Spain in blue.", "unclear"),
    ("", "unclear"),
    ("I can't tell, maybe 28 million in Spain.", "evasion"),
    ("The chart does not show Spain.", "evasion"),
    ("Spain's value can't be read.", "evasion"),
    ("The chart shows no population for Spain.", "evasion"),
    ("The picture does not, however, have any data on Spain.", "evasion"),
    ("There is no entry for Spain.", "evasion"),
    ("Sorry, the population of Spain is unknown.", "evasion"),
    ("It is hard to say how many people live in Spain.", "evasion"),
    ("28 million.", "fragment"),
    ("28", "fragment"),
    ("It is 28 million.", "fragment"),
    ("Italy has 28 million.", "fragment"),
    ("The Spaniards are 28 million.", "fragment"),
    ("Spain has 35 million.", "hallucination"),
    ("35 million.", "hallucination"),
    ("Spain has 28.3 million.", "hallucination"),  # 1.07 % off
    ("Spain has -28 million.", "hallucination"),
    ("Spain has 28 thousand.", "hallucination"),
    ("Spain has 28 billion people.", "hallucination"),
    ("Spain has 28 people.", "hallucination"),
    ("Spain has 28 %.", "hallucination"),
    ("Spain has 2 or 3 million.", "hallucination"),
    ("In Spain it is 1952.", "hallucination"),
]


@pytest.mark.parametrize("answer", PARAPHRASES)
def test_a_paraphrase_is_preferred(answer):
    verdict = judge_answer(answer, **SPAIN)
    assert (verdict.kind, verdict.value_ok, verdict.preferred) == ("grounded", True, True)


@pytest.mark.parametrize(("answer", "kind"), NOT_PREFERRED)
def test_what_only_looks_right_is_not_preferred(answer, kind):
    verdict = judge_answer(answer, **SPAIN)
    assert verdict.kind == kind
    assert not verdict.preferred


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("The chart does not show Spain.", "honest"),
        ("Spain is not shown in the chart.", "honest"),
        ("There is no bar for Spain in 1952.", "honest"),
        ("I don't see Spain among the countries.", "honest"),
        ("Spain isn't in this chart.", "honest"),
        ("The figure for Spain is missing.", "honest"),
        ("The chart covers 1952 to 1967 and does not list Spain.", "honest"),
        ("I can't tell, maybe 28 million.", "hallucination"),
        ("Spain is not shown, but it has 28 million.", "hallucination"),
        ("The population in Spain is 28 million.", "hallucination"),
        ("28 million.", "hallucination"),
        ("Spain.", "unclear"),
        ("", "unclear"),
    ],
)
def test_where_the_chart_has_no_value_only_saying_so_is_preferred(answer, kind):
    for value in (None, math.nan):
        verdict = judge_answer(answer, **ABSENT | {"value": value})
        assert verdict.kind == kind
        assert verdict.value_ok == verdict.preferred == (kind == "honest")


@pytest.mark.parametrize(
    ("answer", "entity", "value", "unit", "preferred"),
    [
        # An entity that is itself a year, and years that are only mentioned.
        ("In 1952, the income is 4 thousand dollars.", "1952", 4, "thousand dollars", True),
        ("1952: $4,000", "1952", 4, "thousand dollars", True),
        ("1952: US$ 4k", "1952", 4, "thousand dollars", True),
        ("1952: 4 dollars", "1952", 4, "thousand dollars", False),
        ("In 1957 the income is 4 thousand dollars.", "1952", 4, "thousand dollars", False),
        ("The chart shows 1952 with 1957.", "1952", 4, "thousand dollars", False),
        ("In 1952, and only in 1952, it is 4 thousand dollars.", "1952", 4, "thousand dollars", True),
        ("The value of 5 is 5.", "5", 5, "", True),
        ("Spain made 1985 cars.", "Spain", 1985, "cars", True),
        ("Spain made 1,985 in 1952.", "Spain", 1985, "cars", True),
        ("In 1952 Spain made 35 cars.", "Spain", 1952, "cars", False),
        # Part of another name.
        ("Nigeria has 28 million.", "Niger", 28, "million", False),
        ("South Sudan has 28 million.", "Sudan", 28, "million", False),
        ("Guinea-Bissau has 28 million.", "Guinea", 28, "million", False),
        ("The value of 15 is 28 million.", "5", 28, "million", False),
        # Accents, case, short names of months.
        ("Cote d'Ivoire has 28 million.", "Côte d’Ivoire", 28, "million", True),
        ("CÔTE D'IVOIRE HAS 28 MILLION", "Cote d'Ivoire", 28, "million", True),
        ("There were 12 rainy days in January.", "Jan", 12, "days", True),
        ("Jan has twelve.", "Jan", 12, "days", True),
        ("12 days in Sept.", "Sep", 12, "days", True),
        ("In May there were 12.", "May", 12, "days", True),
        ("It may be 12 days.", "May", 12, "days", False),
        ("Japan has 12 rainy days.", "Jan", 12, "days", False),
        # Zero, negative numbers, percent, degrees.
        ("Spain stands at 0 %.", "Spain", 0, "%", True),
        ("Spain stands at zero.", "Spain", 0, "%", True),
        ("Spain stands at 0.1 %.", "Spain", 0, "%", False),
        ("Spain stands at -5 degrees.", "Spain", -5, "degrees", True),
        ("It is minus 5 °C in Spain.", "Spain", -5, "degrees", True),
        ("Spain stands at 5 degrees.", "Spain", -5, "degrees", False),
        ("Spain stands at 41 °F.", "Spain", 41, "°C", False),
        ("28% of all live in Spain.", "Spain", 28, "%", True),
        ("Spain: 28 per cent", "Spain", 28, "percent", True),
        ("Spain: 28", "Spain", 28, "%", True),
        ("Spain: 28 years", "Spain", 28, "%", False),
        ("Spain: 28", "Spain", 28, None, True),
        ("Spain, the 3rd of them, has 28.", "Spain", 28, "", True),
        ("Spain: 28m", "Spain", 28, "m", True),
        ("Spain: 28m", "Spain", 28, "million", True),
        # The edge of 1 %.
        ("Spain: 101", "Spain", 100, "", True),
        ("Spain: 102", "Spain", 100, "", False),
    ],
)
def test_names_numbers_and_units(answer, entity, value, unit, preferred):
    assert judge_answer(answer, entity=entity, value=value, unit=unit).preferred == preferred


def test_every_kind_occurs_above():
    assert set(KINDS) == {"grounded", "honest"} | {kind for _, kind in NOT_PREFERRED}


@pytest.mark.parametrize("split", SPLITS)
def test_the_judge_agrees_with_every_embedded_pair(split):
    columns = ["chosen", "rejected", "entity", "value", "unit", "rejected_kind"]  # no pictures: the judge needs none
    rows = Dataset.from_parquet(str(EMBEDDED_PREFERENCES / f"{split}.parquet"), columns=columns).to_list()
    for side in ("chosen", "rejected"):
        verdicts = judge_answers([row[side][0]["content"] for row in rows], rows)
        wanted = ["honest" if row["value"] is None else "grounded" for row in rows]
        if side == "rejected":
            wanted = [row["rejected_kind"] for row in rows]
        assert [verdict.kind for verdict in verdicts] == wanted
        assert {verdict.preferred for verdict in verdicts} == {side == "chosen"}


def test_as_many_answers_as_rows():
    with pytest.raises(ValueError, match="zip"):
        judge_answers(["Spain: 28"], [])
