"""Pictures as they are stored: which rows share one, and how large it is, without decoding any."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from datasets import Dataset, Image, List
from PIL import Image as PILImage

from helpers.data.sources import image_key


def only_opens(transform: Callable[[dict], dict]) -> Callable[[dict], dict]:
    """Marks a transform of rows that opens each row's own picture and changes nothing in it, and does without it where the
    column is left out: where files are the same, so are the pictures."""
    transform.only_opens = True
    return transform


@dataclass(frozen=True)
class Stored:
    """``keys``: the same text for the same file; ``sizes``: (width, height), or (0, 0) where the file doesn't say.

    ``texts``: what the rows' transform makes of all the other columns, a list a name.
    """

    keys: list[str]
    sizes: list[tuple[int, int]]
    texts: dict[str, list]


def stored_pictures(rows: Dataset) -> Stored | None:
    """The pictures of rows, closed; None where a transform that isn't marked with :func:`only_opens` may change them."""
    transform = rows.format["format_kwargs"].get("transform")
    pictures = [name for name, kind in rows.features.items() if isinstance(getattr(kind, "feature", kind), Image)]
    if not getattr(transform, "only_opens", False) or len(pictures) != 1:
        return None
    (name,), kind = pictures, rows.features[pictures[0]]
    closed = List(Image(decode=False)) if isinstance(kind, List) else Image(decode=False)
    files = rows.with_format(None).select_columns([name]).cast_column(name, closed)[name]
    one = [file if isinstance(file, list) else [file] for file in files]
    return Stored([image_key(file) for file in one], [_size(*file) for file in one], rows.remove_columns(name)[:])


def _size(first: dict, *_) -> tuple[int, int]:
    try:
        with PILImage.open(io.BytesIO(first["bytes"]) if first["bytes"] is not None else first["path"]) as picture:
            return picture.size
    except Exception:  # whatever is wrong with it is said when it is opened
        return 0, 0
