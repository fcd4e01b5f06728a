"""Lay a chart out and draw it with matplotlib.

Labels are set in a monospaced font, two letters to a patch of the model, and start at patch borders. People see a tidy
chart; a vision tower of four layers sees each pair of letters as one pattern, which it learns far sooner than
letters that fall into the patches differently each time.
"""

import io
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

PIXELS = 512  # a size people like to look at; the processor scales it to 128
PATCH = 32  # pixels of the picture to a patch of the model (8 after scaling)
LETTER = PATCH // 2
TOKEN = 2 * PATCH  # pixels of the picture to an image token
KINDS = ("vertical bar", "horizontal bar", "line", "pie")
# Okabe and Ito's palette without black and yellow: told apart by colour-blind readers, and light enough for black labels.
COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#8FA7FF")
_FONT = {"family": "DejaVu Sans Mono", "fontsize": LETTER / 0.60205 * 0.72}  # this font's letters are 0.602 em wide
_SPACING = {3: 5 * PATCH, 4: 4 * PATCH, 5: 3 * PATCH, 6: 2 * PATCH}  # from one bar to the next
_BASE, _TOP = 15 * PATCH - 8, 3 * PATCH  # where upright bars stand, and where the highest ends
_CENTRE, _RADIUS = (PIXELS // 2, 9 * PATCH - 8), 5 * PATCH - 10


@dataclass(frozen=True)
class Chart:
    """What a chart states. ``values[i]`` belongs to ``names[i]``; values are whole numbers from 1 to 99."""

    kind: str
    title: str
    names: tuple[str, ...]
    values: tuple[int, ...]


@dataclass(frozen=True)
class Label:
    """One text in the picture: the chart's ``names[index]`` or ``values[index]``; ``x``, ``y``: its top left, in pixels."""

    role: str  # "name" or "value"
    index: int
    text: str
    x: int
    y: int

    @property
    def token(self) -> tuple[int, int]:
        """Row and column of the image token under the label's middle."""
        return (self.y + PATCH // 2) // TOKEN, (self.x + LETTER * len(self.text) // 2) // TOKEN


def layout(chart: Chart) -> list[Label]:
    """Where each name and value is written."""
    labels = []
    for index, (name, value) in enumerate(zip(chart.names, map(str, chart.values), strict=True)):
        for role, text, (x, y) in zip(("name", "value"), (name, value), _PLACES[chart.kind](chart, index), strict=True):
            labels.append(Label(role, index, text, x, y))
    return labels


def reading_order(chart: Chart) -> list[int]:
    """Indices of the marks as a description lists them: along the axis, or a pie's names from the top down."""
    order = list(range(len(chart.names)))
    if chart.kind == "pie":
        names = {label.index: label for label in layout(chart) if label.role == "name"}
        order.sort(key=lambda i: (names[i].y, names[i].x))
    return order


def readable(chart: Chart) -> bool:
    """Whether all labels are on the page, apart from each other, and under image tokens of their own."""
    labels = layout(chart)
    if chart.kind == "pie" and min(chart.values) < 0.08 * sum(chart.values):
        return False
    if any(at.x < 0 or at.y < PATCH or at.x + LETTER * len(at.text) > PIXELS or at.y + PATCH > PIXELS for at in labels):
        return False
    by_row = sorted(labels, key=lambda at: (at.y, at.x))
    apart = all(one.y != two.y or one.x + LETTER * (len(one.text) + 1) <= two.x for one, two in pairwise(by_row))
    return apart and len({at.token for at in labels}) == len(labels)


def draw(chart: Chart, style: np.random.Generator) -> Image.Image:
    """Draw ``chart`` as an RGB picture of 512 x 512 pixels; ``style`` picks colours and bar widths."""
    axes = _empty_page()
    axes.text(PIXELS / 2, PATCH / 2, chart.title, ha="center", va="center", fontsize=16)
    _DRAW[chart.kind](axes, chart, style)
    for label in layout(chart):
        axes.text(label.x, label.y + PATCH - 9, label.text, va="baseline", ha="left", zorder=3, **_FONT)
    canvas = axes.figure.canvas
    canvas.draw()
    return Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))


@cache
def _page() -> Axes:
    """Axes in pixels, from the top left, for all charts: making axes takes a third of drawing a chart."""
    figure = Figure(figsize=(PIXELS / 100, PIXELS / 100), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, PIXELS), ylim=(PIXELS, 0))
    axes.axis("off")
    return axes


def _empty_page() -> Axes:
    axes = _page()
    for drawn in (*axes.lines, *axes.patches, *axes.texts):
        drawn.remove()
    axes.containers.clear()  # of the bars
    return axes


def png_bytes(picture: Image.Image) -> bytes:
    """A small PNG: a palette of 32 colours is enough for flat charts with smooth letters."""
    buffer = io.BytesIO()
    picture.quantize(32, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _snap(pixel: float) -> int:
    return PATCH * round(pixel / PATCH)


def _centred(text: str, x: float) -> int:
    """The patch border from which ``text`` is best centred on ``x``."""
    return _snap(x - LETTER * len(text) / 2)


def _column(chart: Chart, index: int) -> int:
    """The middle of an upright bar, or of a point of a line."""
    space = _SPACING[len(chart.names)]
    return PIXELS // 2 + round((index - (len(chart.names) - 1) / 2) * space)


def _height(chart: Chart, value: float) -> float:
    return _BASE - (_BASE - _TOP) * value / max(chart.values)


def _upright_places(chart: Chart, index: int):
    x, value = _column(chart, index), str(chart.values[index])
    above = int((_height(chart, chart.values[index]) - 8) // PATCH - 1) * PATCH
    return (_centred(chart.names[index], x), _BASE + 8), (_centred(value, x), above)


def _bar_row(chart: Chart, index: int) -> int:
    """The top of the patch row in the middle of a lying bar."""
    space = {3: 5, 4: 3, 5: 3, 6: 2}[len(chart.names)] * PATCH
    return 2 * PATCH + index * space


def _bar_start(chart: Chart) -> int:
    return _snap(LETTER * max(map(len, chart.names)) + PATCH * 0.8)


def _length(chart: Chart, value: float) -> float:
    return (PIXELS - 2 * PATCH - _bar_start(chart)) * value / max(chart.values)


def _lying_places(chart: Chart, index: int):
    y, start, name = _bar_row(chart, index), _bar_start(chart), chart.names[index]
    end = start + _length(chart, chart.values[index])
    return ((start - 8 - LETTER * len(name)) // PATCH * PATCH, y), (int(-(-(end + 4) // PATCH)) * PATCH, y)


def _pie_places(chart: Chart, index: int):
    before, total = sum(chart.values[:index]), sum(chart.values)
    angle = 2 * np.pi * (before + chart.values[index] / 2) / total  # clockwise from twelve o'clock
    x, y = np.sin(angle), -np.cos(angle)
    name, value = chart.names[index], str(chart.values[index])
    at_value = _CENTRE[0] + 0.68 * _RADIUS * x, _CENTRE[1] + 0.68 * _RADIUS * y
    reach = _RADIUS + PATCH * 0.75 + abs(x) * LETTER * len(name) / 2
    at_name = _CENTRE[0] + reach * x, _CENTRE[1] + (_RADIUS + PATCH * 0.75) * y
    return tuple((_centred(text, px), _snap(py - PATCH / 2)) for text, (px, py) in ((name, at_name), (value, at_value)))


def _colours(count: int, style: np.random.Generator) -> list[str]:
    if style.random() < 0.5:
        return [COLOURS[style.integers(len(COLOURS))]] * count
    return [COLOURS[i] for i in style.permutation(len(COLOURS))[:count]]


def _draw_upright(axes, chart: Chart, style: np.random.Generator) -> None:
    width = _SPACING[len(chart.names)] * style.uniform(0.45, 0.8)
    for index, colour in enumerate(_colours(len(chart.names), style)):
        top = _height(chart, chart.values[index])
        axes.bar(_column(chart, index), _BASE - top, width, bottom=top, color=colour)
    axes.plot([8, PIXELS - 8], [_BASE, _BASE], color="black", linewidth=1.5)


def _draw_lying(axes, chart: Chart, style: np.random.Generator) -> None:
    height, start = PATCH * style.uniform(0.8, 1.4), _bar_start(chart)
    for index, colour in enumerate(_colours(len(chart.names), style)):
        axes.barh(_bar_row(chart, index) + PATCH / 2, _length(chart, chart.values[index]), height, left=start, color=colour)
    axes.plot([start, start], [PATCH + 8, PIXELS - 8], color="black", linewidth=1.5)


def _draw_line(axes, chart: Chart, style: np.random.Generator) -> None:
    points = [(_column(chart, i), _height(chart, value)) for i, value in enumerate(chart.values)]
    axes.plot(*zip(*points, strict=True), color=COLOURS[style.integers(len(COLOURS))], linewidth=4, marker="o", markersize=11)
    axes.plot([8, PIXELS - 8], [_BASE, _BASE], color="black", linewidth=1.5)


def _draw_pie(axes, chart: Chart, style: np.random.Generator) -> None:
    edges = np.concatenate([[0], np.cumsum(chart.values)]) / sum(chart.values) * 2 * np.pi
    for i, colour in enumerate(style.permutation(len(COLOURS))[: len(chart.names)]):
        angles = np.linspace(edges[i], edges[i + 1], 60)
        x = np.concatenate([[0], np.sin(angles)]) * _RADIUS + _CENTRE[0]
        y = np.concatenate([[0], -np.cos(angles)]) * _RADIUS + _CENTRE[1]
        axes.fill(x, y, facecolor=COLOURS[colour], edgecolor="white", linewidth=3)


_PLACES = {"vertical bar": _upright_places, "line": _upright_places, "horizontal bar": _lying_places, "pie": _pie_places}
_DRAW = {"vertical bar": _draw_upright, "line": _draw_line, "horizontal bar": _draw_lying, "pie": _draw_pie}
