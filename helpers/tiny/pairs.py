"""Build the preference pairs: true figures, drawn as in ChartQA-mini, and two answers to a question, one of them better.

The words alone mustn't give away which one: most of the rejected answers differ from the chosen in the number only, and
that number stands in the same chart; "not shown" is as often the better answer as the worse. Bit for bit the same each
time (with the locked versions of the packages).
"""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
from datasets import Dataset

from helpers.data import PAIR_FEATURES
from helpers.models import FULL_SENTENCE
from helpers.tiny.charts import Chart, draw, png_bytes
from helpers.tiny.curriculum import UNITS
from helpers.tiny.mini import distinct_charts
from helpers.tiny.questions import Words
from helpers.tiny.tables import COUNTRIES, MONTHS, YEARS

ROWS = {"train": 1600, "val": 200, "test": 400}
PAIRS_PER_CHART = 2
SPLITS_OF_TABLES = {"train": "train", "val": "pair_val", "test": "pair_test"}  # whose figures a split shows
# What a pair sets against each other, and its share. The second and third are equal, or "not shown" would tell. What is
# rare among those that judge is what is hard to learn, so more of it is trained on.
_CONTRASTS = (
    "right against wrong value",
    "not shown against invented value",
    "right value against not shown",
    "right value against evasion",
    "right value against fragment",
)
_TO_JUDGE = dict(zip(_CONTRASTS, (0.75, 0.05, 0.05, 0.09, 0.06), strict=True))
SHARES = {
    "train": dict(zip(_CONTRASTS, (0.68, 0.12, 0.12, 0.05, 0.03), strict=True)),
    "val": _TO_JUDGE,
    "test": _TO_JUDGE,
}
# The sentences that the embedded model has met in pretraining (curriculum.py): it knows every word of them.
QUESTION = "What is the {measure} in {name}?"
GROUNDED = (
    "The {measure} in {name} is {value} {unit}.",
    "In {name}, the {measure} is {value} {unit}.",
    "The chart shows a {measure} of {value} {unit} for {name}.",
)
NOT_SHOWN = ("The chart does not show {name}.", "{name} is not shown in the chart.")
EVASIVE = (
    "The image does not provide information about the {measure} in {name}.",
    "I cannot tell the {measure} in {name} from this chart.",
)
FRAGMENT = "{value} {unit}."
_HALF_YEARS = (MONTHS[:6], MONTHS[6:])
_KINDS_OF_NAMES = {"country": COUNTRIES, "month": _HALF_YEARS, "year": [[str(year) for year in group] for group in YEARS]}


def build(folder: Path) -> None:
    """Write ``train.parquet``, ``val.parquet``, ``test.parquet`` and ``cells.json`` (which figures each split shows)."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = {}
    for split in ROWS:
        rows, shown = build_split(split)
        table = Dataset.from_list(rows, features=PAIR_FEATURES).with_format("arrow")[:]
        # A large dictionary, which datasets' own writer doesn't use for images, stores a chart once for its pairs.
        parquet.write_table(table, folder / f"{split}.parquet", dictionary_pagesize_limit=2**27)
        cells[split] = sorted(shown)
    (folder / "cells.json").write_text(json.dumps(cells, indent=0), encoding="utf-8")


def build_split(split: str) -> tuple[list[dict], set[tuple[str, str, int]]]:
    """The rows of a split, and the cells (table, entity, year) that their charts show."""
    rng = np.random.default_rng([5, list(ROWS).index(split)])
    shares = SHARES[split]
    contrasts = np.repeat(list(shares), [round(share * ROWS[split]) for share in shares.values()])
    contrasts = iter(rng.permutation(contrasts).tolist())
    rows, shown = [], set()
    for chart, words, cells in distinct_charts(SPLITS_OF_TABLES[split], ROWS[split] // PAIRS_PER_CHART, rng):
        shown |= cells
        pairs = [_pair(next(contrasts), chart, words, int(i), rng) for i in rng.permutation(len(chart.names))[:PAIRS_PER_CHART]]
        picture = {"bytes": png_bytes(draw(chart, rng)), "path": None}
        rows += [{"images": [picture], **pair} for pair in pairs]
    return rows, shown


def _pair(contrast: str, chart: Chart, words: Words, i: int, rng: np.random.Generator) -> dict:
    """A pair about the chart's mark ``i``, or about a name that the chart doesn't show; all columns but the image."""
    unit = UNITS[words.measure]
    # "a income" is no English, and "an" no word of the embedded model.
    grounded = _pick(rng, GROUNDED[:2] if words.measure == "income" else GROUNDED)
    others = [value for at, value in enumerate(chart.values) if at != i]
    # Any mark may be asked for and any other gives the wrong value, so neither value is the likelier one.
    name, value, stated = chart.names[i], chart.values[i], _pick(rng, others)
    match contrast:
        case "right against wrong value":
            chosen, rejected, kind = grounded, grounded, "hallucination"
        case "not shown against invented value":
            name, value = _absent_name(chart, words, rng), None
            chosen, rejected, kind = _pick(rng, NOT_SHOWN), grounded, "hallucination"
        case "right value against not shown":
            chosen, rejected, kind = grounded, _pick(rng, NOT_SHOWN), "evasion"
        case "right value against evasion":
            chosen, rejected, kind = grounded, _pick(rng, EVASIVE), "evasion"
        case "right value against fragment":
            chosen, rejected, kind, stated = grounded, FRAGMENT, "fragment", value
    said = {"measure": words.measure, "name": name, "unit": unit}
    return {
        "prompt": [
            {"role": "system", "content": FULL_SENTENCE},
            {"role": "user", "content": QUESTION.format(**said)},
        ],
        "chosen": [{"role": "assistant", "content": chosen.format(**said, value=value)}],
        "rejected": [{"role": "assistant", "content": rejected.format(**said, value=stated)}],
        "entity": name,
        "value": value,
        "unit": unit,
        "rejected_kind": kind,
    }


def _absent_name(chart: Chart, words: Words, rng: np.random.Generator) -> str:
    """A name of the chart's kind that it doesn't show: from the same group of names if the chart leaves one out."""
    groups = _KINDS_OF_NAMES[words.noun]
    near = [name for group in groups if chart.names[0] in group for name in group if name not in chart.names]
    return _pick(rng, near or [name for group in groups for name in group if name not in chart.names])


def _pick(rng: np.random.Generator, options):
    return options[rng.integers(len(options))]
