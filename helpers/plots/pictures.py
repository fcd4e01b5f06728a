"""Drawing what a vision language model sees of a picture: its tiles, and the squares that its answer rests on."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from helpers.plots.figure import write_below

_TILE, _GAP = 96, 8  # pixels on the drawing
_WARM = "#D55E00"  # of Okabe and Ito's colours


def plot_tiles(image: Image.Image, rows: int, columns: int, title: str):
    """``image`` cut into ``rows`` x ``columns`` tiles, and beside them the whole picture as one more tile."""
    step = _TILE + _GAP
    across, down = max(columns, 1), max(rows, 1)
    canvas = Image.new("RGB", ((across + 1) * step + 5 * _GAP, down * step + _GAP), "#bbbbbb")
    enlarged = image.convert("RGB").resize((across * _TILE, down * _TILE))
    for row in range(rows):
        for column in range(columns):
            corner = (column * _TILE, row * _TILE)
            cut = enlarged.crop((*corner, corner[0] + _TILE, corner[1] + _TILE))
            canvas.paste(cut, (_GAP + column * step, _GAP + row * step))
    canvas.paste(image.convert("RGB").resize((_TILE, _TILE)), (columns * step + 5 * _GAP, _GAP + (down - 1) * step // 2))
    figure, ax = plt.subplots(figsize=(canvas.width / 90, canvas.height / 90 + 0.5))
    ax.imshow(canvas)
    ax.set_title(title, fontsize=10)
    ax.axis("off")
    return figure


def plot_occlusion(rows: list[dict]):
    """Pictures with the squares shaded on which an answer rests.

    ``rows`` have ``image``, ``text`` (written underneath) and ``drops``, the (cells, cells) of ``occlusion_map``. The
    shading is in proportion to the largest drop of each picture, which is written at its square.
    """
    figure, axes = plt.subplots(1, len(rows), figsize=(3.3 * len(rows), 4.2), squeeze=False)
    for ax, row in zip(axes.flat, rows, strict=True):
        drops, (width, height) = row["drops"], row["image"].size
        cells = len(drops)
        share = np.clip(drops, 0, None) / max(drops.max(), 1e-9)
        shade = np.dstack([np.broadcast_to(to_rgb(_WARM), (*share.shape, 3)), 0.55 * share])
        ax.imshow(row["image"])
        ax.imshow(shade, extent=(0, width, height, 0), interpolation="nearest")
        at_row, at_column = np.unravel_index(drops.argmax(), drops.shape)
        corner = (at_column * width / cells, at_row * height / cells)
        ax.add_patch(plt.Rectangle(corner, width / cells, height / cells, fill=False, edgecolor=_WARM, linewidth=2))
        left, top = at_column < cells / 2, at_row == 0  # the number stands over its square; in the first row, under it
        ax.annotate(
            f"{drops.max():.1f} nats", (corner[0] + (0 if left else width / cells), corner[1] + top * height / cells),
            (0, -3 if top else 3), textcoords="offset points", fontsize=8, color="black", weight="bold",
            ha="left" if left else "right", va="top" if top else "bottom",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": _WARM, "linewidth": 0.8},
        )  # fmt: skip
        ax.set(xlim=(0, width), ylim=(height, 0))
        ax.axis("off")
        text = "\n".join(textwrap.fill(line, 38) for line in row["text"].splitlines())
        write_below(ax, text)
    figure.tight_layout()
    return figure
