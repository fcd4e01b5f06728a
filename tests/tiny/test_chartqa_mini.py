"""ChartQA-mini can be trusted: balanced, no figure in two splits, nothing that pretraining has seen."""

import json
import platform
import sys
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from helpers.data import QUESTION_KINDS, SPLITS, kind_of, load_chartqa
from helpers.evaluation import relaxed_match
from helpers.paths import EMBEDDED_CHARTQA
from helpers.tiny import CHUNK, YEARS, Words, ask, invented_chart, invented_chunk, load_blocks, mini, pretrain

SEEN_BY_THE_SHIPPED_WEIGHTS = 20_000  # charts, says their card


@pytest.fixture(scope="module")
def test_rows():
    rows = load_chartqa("embedded", "test").select_columns(["query", "label"])
    return [(row["query"], row["label"][0]) for row in rows]


def test_enough_questions():
    for split, least in zip(SPLITS, (2000, 300, 600), strict=True):
        assert len(load_chartqa("embedded", split)) >= least


def test_families_and_answers_are_balanced(test_rows):
    kinds = Counter(kind_of(question) for question, _ in test_rows)
    answers = Counter(answer for _, answer in test_rows)
    assert set(kinds) == set(QUESTION_KINDS)
    assert all(0.08 <= count / len(test_rows) <= 0.30 for count in kinds.values()), kinds
    assert max(answers.values()) / len(test_rows) <= 0.10
    assert abs(answers["Yes"] - answers["No"]) / (answers["Yes"] + answers["No"]) <= 0.05


def test_no_answer_is_a_year(test_rows):
    years = {str(year) for group in YEARS for year in group}
    assert not years & {answer for _, answer in test_rows}


def test_no_figure_is_in_two_splits():
    cells = {
        split: {tuple(cell) for cell in shown}
        for split, shown in json.loads((EMBEDDED_CHARTQA / "cells.json").read_text()).items()
    }
    assert set(cells) == set(SPLITS)
    for one, two in combinations(cells, 2):
        assert not cells[one] & cells[two], (one, two)
    kept = {(block.table.name, *cell) for block in load_blocks() if block.split.startswith("pair_") for cell in block.cells}
    assert len(kept) > 200, "no room for preference pairs"
    assert not kept & set.union(*cells.values())


def held_out_figures():
    """What charts of validation, test and preference pairs can show: one (name, value) mapping for each possible chart."""
    for block in load_blocks():
        if block.split == "train":
            continue
        for year in block.years:
            yield {str(entity): value for (entity, y), value in block.cells.items() if y == year}
        for entity in block.entities:
            yield {str(year): value for (e, year), value in block.cells.items() if e == entity}


def test_pretraining_shows_no_chart_of_the_held_out_splits():
    """Its figures are invented, and by no chance either do all of a chart's figures equal those of a held-out chart."""
    most = max(pretrain.CHARTS, SEEN_BY_THE_SHIPPED_WEIGHTS)  # the fewer are the first of the more
    pretrained = [chart for chunk in range(most // CHUNK) for chart, _ in invented_chunk(0, chunk)]
    assert len(pretrained) == most
    assert all(chart.title.startswith("Invented figures") for chart in pretrained)
    held_out = [set(figures.items()) for figures in held_out_figures()]
    assert len(held_out) > 100
    seen = {frozenset(zip(chart.names, chart.values, strict=True)) for chart in pretrained}
    assert not [chart for chart in seen if any(chart <= figures for figures in held_out)]


def test_values_of_a_chart_can_be_told_apart_by_the_metric():
    rng = np.random.default_rng(1)
    for _ in range(200):
        chart, _ = invented_chart(rng)
        assert not any(relaxed_match(str(a), str(b)) for a, b in combinations(chart.values, 2))


@pytest.mark.parametrize("split", ["val", *(pytest.param(name, marks=pytest.mark.slow) for name in ("train", "test"))])
def test_rebuilt_bit_for_bit(split):
    rows, cells = mini.build_split(split, mini.CHARTS[split], np.random.default_rng(SPLITS.index(split)))
    shipped = load_chartqa("embedded", split).with_format(None)
    assert [row["query"] for row in rows] == list(shipped["query"])
    assert [row["label"] for row in rows] == list(shipped["label"])
    from datasets import Image

    raw = shipped.cast_column("image", Image(decode=False))
    if (sys.platform, platform.machine(), sys.version_info[:2]) == ("linux", "x86_64", (3, 11)):
        assert all(row["image"]["bytes"] == raw[at]["image"]["bytes"] for at, row in enumerate(rows))
    assert sorted(map(list, cells)) == json.loads((EMBEDDED_CHARTQA / "cells.json").read_text())[split]


@pytest.mark.parametrize("kind", QUESTION_KINDS)
def test_questions_are_recognized_as_their_family(kind):
    rng = np.random.default_rng(2)
    for _ in range(50):
        chart, words = invented_chart(rng)
        question, answer = ask(kind, chart, words, rng)
        assert kind_of(question) == kind
        assert answer
    assert ask("value by name", chart, Words("income", "year", "years"), rng)[1] in map(str, chart.values)


def test_real_questions_fall_into_families(shared):
    rows = load_chartqa(shared / "data" / "chartqa_real.parquet", "train").select_columns(["query"])
    found = Counter(kind_of(row["query"]) for row in rows)
    assert found["other"] / len(rows) < 0.2
    assert found["yes/no"] > 0
