"""Columns under other names and in other forms, brought into those of the course, with a line that says so.

What a row lacks for it is not an error yet: the reason is kept in the column ``problem``, and the row is refused by its number.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
from datasets import Dataset, Features, Image, List

from helpers.data.pictures import no_file
from helpers.data.questions_csv import find_picture

PICTURES = ("image", "images")
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_UNDECODED = Image(decode=False)


def first_of(rows: Dataset, names: Sequence[str]) -> str | None:
    """The first of ``names`` that is a column, or None."""
    return next((name for name in names if name in rows.column_names), None)


def refuse(rows: Dataset, needed: str, source: str) -> ValueError:
    """The error for a layout that isn't known: the columns that it has and those that are needed, in under 400 characters."""
    there = ", ".join(rows.column_names)
    return ValueError(f"{source[-90:]} needs the columns {needed}. It has {there if len(there) < 160 else there[:160] + ' …'}")


def turns(value: object, role: str) -> list[dict]:
    """A text, a message or a list of messages, ``{"role", "content"}`` or ``{"from", "value"}``, as messages of plain text.

    ``role``: who says it where it is only a text. LLaVA's ``<image>`` at the edge of a human turn stands for the row's picture,
    which TRL's own placeholder stands for here, and is left out.
    """
    if isinstance(value, str):
        value = _unpacked(value)
    if value is None or isinstance(value, str):
        return [{"role": role, "content": value or ""}]
    messages = []
    for message in [value] if isinstance(value, dict) else value:
        if "from" in message:
            said = re.sub(r"^\s*<image>\s*|\s*<image>\s*$", "", message["value"] or "")
            messages.append({"role": _ROLES.get(message["from"], message["from"]), "content": said})
        else:
            messages.append({"role": message["role"], "content": _text(message["content"])})
    return messages


def _unpacked(text: str) -> str | list[dict]:
    """The messages that somebody stored as JSON; any other text, also other JSON, which may well be an answer, as it is."""
    if not re.match(r"\s*\[\s*\{", text):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return text
    keys = [set(message) if isinstance(message, dict) else set() for message in found]
    return found if all({"role", "content"} <= key for key in keys) or all({"from", "value"} <= key for key in keys) else text


def _text(content: str | list[dict] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] for part in content if part["type"] == "text" and part["text"])


def one_picture(rows: Dataset, column: str, folder: Path) -> tuple[Dataset, list[str | None]]:
    """The column as ``image``, undecoded, and for each row what is wrong with the number of its pictures."""
    rows = rows.select_columns([column])
    if not isinstance(rows.features[column], (List, list)):
        return _found(rows.cast_column(column, _UNDECODED), column, folder), [None] * len(rows)
    rows = rows.cast_column(column, List(_UNDECODED))
    counts = [len(row[column] or ()) for row in rows]
    wrong = [None if n == 1 else "there is no image" if n == 0 else f"it has {n} pictures; one is needed" for n in counts]
    single = _mapped(rows, lambda row: {"image": next(iter(row[column] or ()), None)}, Features(image=_UNDECODED))
    return _found(single, "image", folder), wrong


def many_pictures(rows: Dataset, column: str, folder: Path) -> Dataset:
    """The column as ``images``: lists, undecoded."""
    rows = rows.select_columns([column])
    several = isinstance(rows.features[column], (List, list))
    rows = rows.cast_column(column, List(_UNDECODED) if several else _UNDECODED)
    inside = (row[column] if several else [row[column]] for row in rows)
    if (
        column == "images"
        and several
        and all(image is None or image["bytes"] is not None for row in inside for image in row or ())
    ):
        return rows

    def placed(row: dict) -> dict:
        images = row[column] if several else [row[column]]
        return {"images": [_placed(image, folder) for image in images or () if image is not None]}

    return _mapped(rows, placed, Features(images=List(_UNDECODED)))


def _found(rows: Dataset, column: str, folder: Path) -> Dataset:
    """The column as ``image``; where rows hold paths, these count from ``folder``."""
    rows = rows.rename_column(column, "image") if column != "image" else rows
    pictures = rows.with_format("arrow").data.column("image")
    if all(chunk.field("bytes").null_count == 0 for chunk in pictures.chunks):
        return rows
    return _mapped(rows, lambda row: {"image": _placed(row["image"], folder)}, Features(image=_UNDECODED))


def _placed(image: dict | None, folder: Path) -> dict | None:
    if image is None or image["bytes"] is not None or not image["path"] or no_file(image["path"]):
        return image
    try:
        return {"bytes": None, "path": str(find_picture(folder, image["path"]))}
    except FileNotFoundError:
        return {"bytes": None, "path": str(folder / image["path"])}


def _mapped(rows: Dataset, change: Callable[[dict], dict], features: Features) -> Dataset:
    """``Dataset.map``, which keeps pictures on the disk, without its progress bar and its copies of earlier calls."""
    hidden = datasets.utils.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        return rows.map(change, remove_columns=rows.column_names, features=features, load_from_cache_file=False)
    finally:
        if not hidden:
            datasets.enable_progress_bars()
