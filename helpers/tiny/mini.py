"""Build ChartQA-mini: true figures, drawn as charts, with questions of ChartQA's kinds, in the hub's schema.

Bit for bit the same each time (with the locked versions of the packages).
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
from datasets import Dataset
from tqdm.auto import tqdm

from helpers.data import FEATURES, QUESTION_KINDS
from helpers.tiny.charts import Chart, draw, png_bytes, readable
from helpers.tiny.curriculum import tell_apart
from helpers.tiny.questions import Words, ask
from helpers.tiny.tables import Block, load_blocks

CHARTS = {"train": 640, "val": 90, "test": 190}
QUESTIONS_PER_CHART = 4
_SHARES = dict(zip(QUESTION_KINDS, (0.16, 0.15, 0.13, 0.13, 0.17, 0.12, 0.14), strict=True))


def build(folder: Path) -> None:
    """Write ``train.parquet``, ``val.parquet``, ``test.parquet`` and ``cells.json`` (which figures each split shows)."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = {}
    for number, (split, count) in enumerate(CHARTS.items()):
        rows, shown = build_split(split, count, np.random.default_rng(number))
        table = Dataset.from_list(rows, features=FEATURES).with_format("arrow")[:]
        # A large dictionary, which datasets' own writer doesn't use for images, stores a chart once for its four questions.
        parquet.write_table(table, folder / f"{split}.parquet", dictionary_pagesize_limit=2**27)
        cells[split] = sorted(shown)
    (folder / "cells.json").write_text(json.dumps(cells, indent=0), encoding="utf-8")


def build_split(split: str, count: int, rng: np.random.Generator) -> tuple[list[dict], set[tuple[str, str, int]]]:
    """Rows of ``count`` charts, and the cells (table, entity, year) that they show."""
    asked, answers, rows, shown = dict.fromkeys(QUESTION_KINDS, 0), {"Yes": 0, "No": 0}, [], set()
    for chart, words, cells in distinct_charts(split, count, rng):
        questions = _questions(chart, words, asked, answers, rng)
        shown |= cells
        picture = {"bytes": png_bytes(draw(chart, rng)), "path": None}
        rows += [{"image": picture, "query": q, "label": [a], "human_or_machine": 1} for q, a in questions]
    return rows, shown


def distinct_charts(
    split: str, count: int, rng: np.random.Generator
) -> Iterator[tuple[Chart, Words, set[tuple[str, str, int]]]]:
    """``count`` charts of the blocks of ``split``, no two alike, each readable and with values that the metric tells apart."""
    blocks, seen = [block for block in load_blocks() if block.split == split], set()
    with tqdm(total=count, desc=f"charts of {split}", unit="chart") as bar:
        while len(seen) < count:
            chart, words, cells = chart_of(blocks[rng.integers(len(blocks))], rng)
            key = (chart.kind, chart.title, chart.names)
            if key in seen or not readable(chart) or not tell_apart(chart.values):
                continue
            seen.add(key)
            yield chart, words, cells
            bar.update()


def chart_of(block: Block, rng: np.random.Generator) -> tuple[Chart, Words, set[tuple[str, str, int]]]:
    """A chart of some of a block's figures: countries or months of one year, or one country over the years."""
    table, kinds = block.table, ["vertical bar", "horizontal bar"] + ["pie"] * block.table.pie
    if len(block.years) > 1 and rng.random() < 0.35:
        entity = block.entities[rng.integers(len(block.entities))]
        cells = [(entity, year) for year in block.years]
        names, title, kinds = (
            [str(year) for year in block.years],
            f"{entity}: {table.title[0].lower()}{table.title[1:]}",
            ["line"],
        )
        words = Words(table.measure, "year", "years")
    elif len(block.years) > 1:
        year = block.years[rng.integers(len(block.years))]
        picked = rng.permutation(block.entities)[: rng.integers(3, 7)]
        cells, names, title = [(str(entity), year) for entity in picked], [str(e) for e in picked], f"{table.title}, {year}"
        words = Words(table.measure, "country", "countries")
    else:
        (year,), count = block.years, int(rng.integers(3, 7))
        start = int(rng.integers(len(block.entities) - count + 1))
        names = list(block.entities[start : start + count])
        cells, title, kinds = [(month, year) for month in names], f"{table.title}, {year}", [*kinds, "line"]
        words = Words(table.measure, "month", "months")
    values = tuple(block.cells.get(cell, 0) for cell in cells)  # 0: left out of the table, and so no chart
    if 0 in values:
        return chart_of(block, rng)
    chart = Chart(kinds[rng.integers(len(kinds))], title, tuple(names), values)
    return chart, words, {(table.name, *cell) for cell in cells}


def _questions(chart: Chart, words: Words, asked: dict, answers: dict, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Four questions of the kinds that are furthest behind their share; counts what was asked in ``asked``."""
    total = sum(asked.values()) + QUESTIONS_PER_CHART
    lag = {kind: share * total - asked[kind] + rng.uniform(0, 0.5) for kind, share in _SHARES.items()}
    if words.noun == "year":  # the 5 % tolerance of the metric would accept any year
        lag = {kind: behind for kind, behind in lag.items() if kind not in ("category", "extreme")}
    kinds = sorted(lag, key=lag.get, reverse=True)[:QUESTIONS_PER_CHART]
    questions = []
    for kind in kinds:
        question, answer = ask(kind, chart, words, rng)
        if kind == "yes/no":
            while answers[answer] > min(answers.values()):
                question, answer = ask(kind, chart, words, rng)
            answers[answer] += 1
        asked[kind] += 1
        questions.append((question, answer))
    return questions
