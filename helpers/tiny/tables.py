"""True figures for ChartQA-mini, from public tables that well-kept packages carry, and who may use which cell.

A cell is one figure: ``(table, entity, year)``. Every table is cut into blocks, and a block belongs to exactly one
split, so that no figure is ever in two of them. Pretraining uses invented figures only (:mod:`helpers.tiny.pretrain`).
"""

from dataclasses import dataclass

# Four groups of six: short names, and in each group countries whose figures lie far apart.
COUNTRIES = (
    ("Spain", "Egypt", "Ghana", "Brazil", "Japan", "Nepal"),
    ("Italy", "Kenya", "Chile", "Turkey", "Vietnam", "Angola"),
    ("France", "Peru", "Sudan", "Iran", "Norway", "Uganda"),
    ("Canada", "Mexico", "Poland", "Malawi", "Morocco", "Greece"),
)
YEARS = ((1952, 1957, 1962, 1967), (1972, 1977, 1982, 1987), (1992, 1997, 2002, 2007))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# One letter a block: rows are groups of countries, columns groups of years.
_COUNTRY_BLOCKS = {
    "population": ("train test train", "test pair_test train", "train val pair_test", "pair_val train test"),
    "life": ("test train pair_test", "train pair_val test", "val test train", "train train pair_test"),
    "income": ("train pair_test test", "train test val", "pair_test train test", "pair_val train train"),
}
# Rows are the years 2012 to 2015, columns the halves of a year.
_MONTH_BLOCKS = {
    "rain": ("train test", "val train", "pair_test train", "test pair_val"),
    "temperature": ("test train", "train pair_val", "train test", "pair_test val"),
    "sun": ("pair_test train", "test val", "pair_val test", "train train"),
}
SPLITS = ("train", "val", "test", "pair_val", "pair_test")  # pair_* wait for the preference pairs


@dataclass(frozen=True)
class Table:
    """One measure. ``measure`` stands in questions ("the population in Spain"), ``title`` over the charts."""

    name: str
    measure: str
    title: str
    pie: bool  # whether its figures are parts of a whole
    source: str


@dataclass(frozen=True)
class Block:
    """Figures of one table that belong to one split: ``cells[(entity, year)]`` is a whole number from 1 to 99."""

    table: Table
    split: str
    entities: tuple[str, ...]
    years: tuple[int, ...]
    cells: dict[tuple[str, int], int]


_GAPMINDER = "Gapminder (gapminder.org, CC BY 4.0), as carried by the package plotly"
_NOAA = "NOAA daily weather of Seattle, 2012 to 2015 (public domain), as carried by the package vega_datasets"
TABLES = {
    "population": Table("population", "population", "Population in millions", True, _GAPMINDER),
    "life": Table("life", "life expectancy", "Life expectancy in years", False, _GAPMINDER),
    "income": Table("income", "income", "Income per person in thousand dollars", False, _GAPMINDER),
    "rain": Table("rain", "number of rainy days", "Rainy days in Seattle", True, _NOAA),
    "temperature": Table("temperature", "temperature", "Mean daily high in Seattle in °C", False, _NOAA),
    "sun": Table("sun", "number of sunny days", "Sunny days in Seattle", True, _NOAA),
}


def load_blocks() -> list[Block]:
    """Read the packages' tables, round each figure to a whole number, keep those from 1 to 99, and cut them into blocks."""
    figures = _country_figures() | _month_figures()
    blocks = []
    for name, rows in (_COUNTRY_BLOCKS | _MONTH_BLOCKS).items():
        for row, splits in enumerate(rows):
            for column, split in enumerate(splits.split()):
                if name in _COUNTRY_BLOCKS:
                    entities, years = COUNTRIES[row], YEARS[column]
                else:
                    entities, years = MONTHS[6 * column : 6 * column + 6], (2012 + row,)
                cells = {(e, y): round(figures[name][e, y]) for e in entities for y in years}
                cells = {cell: value for cell, value in cells.items() if 1 <= value <= 99}
                blocks.append(Block(TABLES[name], split, entities, years, cells))
    return blocks


def _country_figures() -> dict[str, dict[tuple[str, int], float]]:
    import plotly.express

    frame = plotly.express.data.gapminder()
    scale = {"population": ("pop", 1e-6), "life": ("lifeExp", 1.0), "income": ("gdpPercap", 1e-3)}
    keys = list(zip(frame["country"], frame["year"].astype(int), strict=True))
    return {name: dict(zip(keys, frame[column] * factor, strict=True)) for name, (column, factor) in scale.items()}


def _month_figures() -> dict[str, dict[tuple[str, int], float]]:
    from vega_datasets import local_data

    days = local_data.seattle_weather()
    days["rainy"], days["sunny"] = days["precipitation"] > 0, days["weather"] == "sun"
    days["month"], days["year"] = [MONTHS[date.month - 1] for date in days["date"]], [date.year for date in days["date"]]
    months = days.groupby(["month", "year"]).agg(rain=("rainy", "sum"), temperature=("temp_max", "mean"), sun=("sunny", "sum"))
    return months.to_dict()
