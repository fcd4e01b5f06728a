"""Hundreds of broken pictures, rows, files and tables through load_chartqa: named or right, never a crash, a hang or a guess.

Everything is drawn from a seed that stands in the test's name. Errors are of the documented kinds, and what is accepted is
judged here anew: by what the mutation was, not by the loader's own checks.
"""

import io
import os
import random
import re
import signal
import struct
from contextlib import contextmanager

import datasets
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


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def load(source, capsys, split="train"):
    """(rows, numbers of the skipped ones) with ``on_error="skip"``; without it the first of those must be the one named.

    (None, error) for a source that can't be used at all.
    """
    capsys.readouterr()
    try:
        with no_hang():
            rows = load_chartqa(source, split, on_error="skip")
            accepted = [(row["image"].mode, row["image"].size, row["query"], row["label"]) for row in rows]
    except Exception as error:
        assert type(error) in DOCUMENTED, f"{type(error).__name__}: {error}"
        assert str(error)
        return None, error
    skipped = [int(number) for number in re.findall(r"^  row (\d+): ", capsys.readouterr().out, re.MULTILINE)]
    if skipped:
        with pytest.raises(BadRowError) as caught, no_hang():
            load_chartqa(source, split)
        assert caught.value.row == skipped[0]
    for mode, (width, height), query, label in accepted:
        assert mode == "RGB"
        assert width > 0 < height
        assert isinstance(query, str)
        assert len(label) == 1
        assert says_something(query)
        assert says_something(label[0])
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
    "PNG": ("RGB", "RGBA", "P", "L", "LA", "1", "I;16", "I"),
    "JPEG": ("RGB", "L", "CMYK"),
    "GIF": ("P", "L"),
    "BMP": ("RGB", "P", "1"),
    "TIFF": ("RGB", "RGBA", "F", "I;16", "LAB", "YCbCr"),
    "WEBP": ("RGB", "RGBA"),
}


def picture(draw: random.Random) -> tuple[bytes, str]:
    """A small whole picture of noise, and its format."""
    kind = draw.choice(list(KINDS))
    mode = draw.choice(KINDS[kind])
    size = draw.choice([(1, 1), (1, 40), (37, 3), (24, 18), (40, 40)])
    noise = PILImage.frombytes("L", size, draw.randbytes(size[0] * size[1]))
    image = PILImage.new(mode, size) if mode in ("I;16", "LAB", "F", "I") else noise.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue(), kind


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
    return draw.choice(
        [b"", b"\0", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"<html>404</html>", draw.randbytes(99)]
    )


MUTATIONS = (cut, flip, flip_header, zero_a_stretch, insert, huge, something_else)


def fuzz_pictures(seed, count, folder, capsys):
    draw = random.Random(seed)
    whole = io.BytesIO()
    PILImage.new("RGB", (8, 8)).save(whole, format="PNG")
    rows, hopeless = [(whole.getvalue(), "the good one?", ["0"])], set()
    for number in range(1, count + 1):
        content, kind = picture(draw)
        mutate = draw.choice(MUTATIONS)
        if mutate is cut:
            content = cut(draw, content, 0.6)
        else:
            content = mutate(draw, content)
        if mutate in (something_else, huge) or (mutate is cut and kind != "GIF"):
            hopeless.add(number)
        rows.append((content, f"number {number}?", [str(number)]))
    accepted, skipped = load(write(folder / f"train-{seed}.parquet", rows).parent, capsys)
    assert len(accepted) + len(skipped) == len(rows)
    wrong = hopeless - set(skipped)
    assert not wrong, f"accepted although it can't be whole: rows {sorted(wrong)}"


@pytest.mark.parametrize("seed", range(4))
def test_pictures(seed, tmp_path, capsys):
    fuzz_pictures(seed, 100, tmp_path, capsys)
