"""All plots of a run on one sheet, to be looked at before anybody says that they are fine."""

import io
from pathlib import Path

import nbformat
from PIL import Image, ImageDraw, ImageFont

from helpers.course.front import plots_of

_COLUMNS, _WIDTH, _GAP, _LABEL = 3, 640, 16, 28  # pixels


def write_contact_sheet(folder: Path) -> Path | None:
    """``plots.png`` in the run's ``folder``: every picture of its executed lessons, in order, each with its lesson and number.

    None if no lesson shows a picture.
    """
    tiles = []
    for path in sorted(folder.glob("*.ipynb")):
        for at, plot in enumerate(plots_of(nbformat.read(path, as_version=4)), 1):
            picture = Image.open(io.BytesIO(plot.png)).convert("RGB")
            tiles.append((f"{path.stem}, {at}", picture.resize((_WIDTH, round(picture.height * _WIDTH / picture.width)))))
    if not tiles:
        return None
    rows = [tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)]
    heights = [max(picture.height for _, picture in row) + _LABEL + _GAP for row in rows]
    sheet = Image.new("RGB", (_COLUMNS * (_WIDTH + _GAP) + _GAP, sum(heights) + _GAP), "white")
    pen, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(18), _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, (label, picture) in enumerate(row):
            left = _GAP + column * (_WIDTH + _GAP)
            pen.text((left, top), label, fill="black", font=font)
            sheet.paste(picture, (left, top + _LABEL))
        top += height
    sheet.save(folder / "plots.png", optimize=True)
    return folder / "plots.png"
