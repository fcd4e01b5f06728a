"""Damage of every kind, and a check that a loader met with it neither hangs nor crashes nor takes anything bad."""

import io
import random
import re
import signal
import struct
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as PILImage

from helpers.data import BadRowError, load_chartqa

DOCUMENTED = (BadRowError, ValueError, FileNotFoundError)
SECONDS = 30  # for one call; they take well under one


class Hang(BaseException):
    """Not an Exception: the loader's own handlers must not take it for a broken picture."""


@contextmanager
def no_hang():
    def stop(*_):
        raise Hang

    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(SECONDS)
    try:
        yield
    finally:
        if hasattr(signal, "SIGALRM"):
            signal.alarm(0)


def load(source, capsys, split="train"):
    """(rows, numbers of the skipped ones) with ``on_error="skip"``; without it the first of those must be the one named.

    (None, error) for a source that can't be used at all.
    """
    capsys.readouterr()
    refused = None
    try:
        with no_hang():
            rows = load_chartqa(source, split, on_error="skip")
            accepted = [(row["image"].mode, row["image"].size, row["query"], row["label"]) for row in rows]
    except DOCUMENTED as error:
        refused = error
    if refused is not None:
        assert type(refused) in DOCUMENTED, f"{type(refused).__name__}: {refused}"  # UnicodeDecodeError is a ValueError too
        return None, refused
    skipped = [int(number) for number in re.findall(r"^  row (\d+): ", capsys.readouterr().out, re.MULTILINE)]
    if skipped:
        with pytest.raises(BadRowError) as caught, no_hang():
            load_chartqa(source, split)
        assert caught.value.row == skipped[0]
    for mode, (width, height), query, label in accepted:
        assert mode == "RGB"
        assert width > 0 < height
        assert label
        assert says_something(query)
        assert all(map(says_something, label))
    return accepted, skipped


def says_something(text) -> bool:
    return isinstance(text, str) and any(character.isprintable() and not character.isspace() for character in text)


def write(path, rows):
    """Rows of (picture bytes or None, question, label) as the hub has them."""
    images, queries, labels = zip(*rows, strict=True)
    table = pa.table(
        {
            "image": pa.array(
                [{"bytes": image, "path": None} for image in images], pa.struct({"bytes": pa.binary(), "path": pa.string()})
            ),
            "query": pa.array(queries, pa.string()),
            "label": pa.array(labels, pa.list_(pa.string())),
            "human_or_machine": pa.array([0] * len(rows), pa.int64()),
        }
    )
    pq.write_table(table, path)
    return path


KINDS = {
    "PNG": ("RGB", "RGBA", "P", "L", "LA", "1", "I;16"),
    "JPEG": ("RGB", "L", "CMYK"),
    "GIF": ("P", "L"),
    "BMP": ("RGB", "P", "1"),
    "TIFF": ("RGB", "RGBA", "F", "I;16", "LAB", "YCbCr"),
    "WEBP": ("RGB", "RGBA"),
}


def picture(draw: random.Random) -> bytes:
    """A small whole picture of noise."""
    kind = draw.choice(list(KINDS))
    mode = draw.choice(KINDS[kind])
    size = draw.choice([(1, 1), (1, 40), (37, 3), (24, 18), (40, 40)])
    noise = PILImage.frombytes("L", size, draw.randbytes(size[0] * size[1]))
    image = PILImage.new(mode, size) if mode in ("I;16", "LAB", "F", "I") else noise.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue()


def cut(draw, content, at_most=1.0):
    return content[: draw.randrange(max(1, int(len(content) * at_most)))]


def flip(draw, content):
    changed = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def flip_header(draw, content):
    return flip(draw, content[:40]) + content[40:]


def zero_a_stretch(draw, content):
    start = draw.randrange(len(content))
    return content[:start] + bytes(min(40, len(content) - start)) + content[start + 40 :]


def insert(draw, content):
    at = draw.randrange(len(content))
    return content[:at] + draw.randbytes(draw.randint(1, 30)) + content[at:]


def huge(draw, content):
    """A PNG whose header claims a gigantic picture."""
    width = struct.pack(">I", draw.choice([0, 2**31 - 1, 2**20, 70_000]))
    return content[:16] + width + width + content[24:] if content.startswith(b"\x89PNG") else b""


def something_else(draw, content):
    page = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    return draw.choice([b"", b"\0", page, b"%PDF-1.4", b"<html>404</html>", draw.randbytes(99)])


MUTATIONS = (cut, flip, flip_header, zero_a_stretch, insert, huge, something_else)


def good_picture(colour=0) -> bytes:
    buffer = io.BytesIO()
    PILImage.new("RGB", (8, 8), (colour, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()
