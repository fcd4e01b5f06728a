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

from helpers.data import BadRowError, image_problem, load_chartqa

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


def fuzz_pictures(seed, count, folder, capsys):
    draw = random.Random(seed)
    rows, hopeless = [(good_picture(), "the good one?", ["0"])], set()
    for number in range(1, count + 1):
        content = picture(draw)
        mutate = draw.choice(MUTATIONS)
        content = cut(draw, content, 0.6) if mutate is cut else mutate(draw, content)
        if mutate in (something_else, huge, cut):
            hopeless.add(number)
        rows.append((content, f"number {number}?", [str(number)]))
    accepted, skipped = load(write(folder / f"train-{seed}.parquet", rows).parent, capsys)
    assert len(accepted) + len(skipped) == len(rows)
    wrong = hopeless - set(skipped)
    assert not wrong, f"accepted although it can't be whole: rows {sorted(wrong)}"


@pytest.mark.parametrize("seed", range(4))
def test_pictures(seed, tmp_path, capsys):
    fuzz_pictures(seed, 70, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_pictures(seed, tmp_path, capsys):
    fuzz_pictures(seed, 500, tmp_path, capsys)


BLANK = (None, "", " ", "\t\n", "\u200b", "\ufeff", "\x00", "\u202e\u2060", "\xa0")
TEXTS = ("What?", "0", "Ωmega", "数?", "e\u0301", "a\x00b", "=1+1", "x" * 5000, "<image>", "🐢", "-")


def test_rows(tmp_path, capsys):
    draw = random.Random(0)
    rows, good = [], []
    for number in range(200):
        query = draw.choice(TEXTS * 2 + BLANK)
        label = draw.choice([[draw.choice(TEXTS)]] * 6 + [None, [], [None], [draw.choice(BLANK)], [draw.choice(TEXTS)] * 2])
        image = draw.choice([good_picture(number)] * 9 + [None])
        rows.append((image, query, label))
        texts = [query, *(label or [None])]
        if image and label and not any(text in BLANK or "<image>" in text for text in texts):
            good.append((query, label))
    accepted, skipped = load(write(tmp_path / "train.parquet", rows).parent, capsys)
    assert [(query, label) for _, _, query, label in accepted] == good
    assert len(accepted) + len(skipped) == len(rows)


def questions(folder, lines: bytes):
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.png").write_bytes(good_picture(number))
    (folder / "questions.csv").write_bytes(lines)
    return folder


CSV = b"image,question,answer\n" + b"".join(b"%d.png,what is %d?,%d\n" % (n, n, 10 + n) for n in range(12))


@pytest.mark.parametrize("seed", range(5))
def test_csv_files(seed, tmp_path, capsys):
    """A comma, quote or line end too many, or one too few, never moves a text into another column."""
    draw = random.Random(seed)
    for number in range(12):
        at = draw.randrange(22, len(CSV))
        change = draw.choice(
            [b",", b'"', b"\n", b"\r", b",,", b'",', b"\n\n", b"\xff", b"\xe9", b"x" * 5000, b"../", b"|", None, None]
        )
        content = CSV[:at] + CSV[at + 1 :] if change is None else CSV[:at] + change + CSV[at:]
        accepted, _ = load(questions(tmp_path / f"{number}", content), capsys)
        for _, _, query, label in accepted or []:
            assert re.sub(r'[|x./"\r]', "", label[0]).isdigit(), (change, at, query, label)
            assert "?" in query or change is None, (change, at, query, label)


def test_a_csv_file_in_utf_16_is_read(tmp_path, capsys):
    accepted, error = load(questions(tmp_path / "mine", CSV.decode().replace("what", "wié").encode("utf-16")), capsys)
    assert not error
    assert all("wié" in query for _, _, query, _ in accepted)


def test_a_csv_file_in_another_encoding_is_named(tmp_path, capsys):
    accepted, error = load(questions(tmp_path / "mine", CSV.decode().replace("what", "wié").encode("cp1252")), capsys)
    assert accepted is None
    assert "is not UTF-8" in str(error)
    assert "CSV UTF-8" in str(error)


def test_what_is_no_picture_file_is_not_waited_for(tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "n" * 300, "a\0b", "/dev/zero", "http://127.0.0.1:9/x.png"):
        with no_hang():
            assert image_problem({"bytes": None, "path": str(tmp_path / name)}), name


def test_grey_of_16_bits_stays_grey(tmp_path, capsys):
    buffer = io.BytesIO()
    PILImage.new("I;16", (8, 8), 128 * 257).save(buffer, format="PNG")
    write(tmp_path / "train.parquet", [(buffer.getvalue(), "grey?", ["yes"])])
    assert load_chartqa(tmp_path, "train")[0]["image"].getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("seed", range(3))
def test_parquet_files(seed, tmp_path, capsys):
    """Broken containers are refused whole, or what is read from them is sound."""
    draw = random.Random(seed)
    path = write(tmp_path / "whole.parquet", [(good_picture(n), f"number {n}?", [str(n)]) for n in range(12)])
    whole = path.read_bytes()
    for number in range(8):
        (tmp_path / f"{number}").mkdir()
        broken = draw.choice([cut, flip, zero_a_stretch, insert, something_else])(draw, whole)
        (tmp_path / f"{number}" / "train.parquet").write_bytes(broken)
        load(tmp_path / f"{number}", capsys)


@pytest.mark.parametrize(
    "columns",
    [
        {"query": pa.array([1, 2])},
        {"query": pa.array([b"\xff\xfe", b"ok"])},
        {"label": pa.array([{"a": "1"}, {"a": "2"}])},
        {"image": pa.array([good_picture(), good_picture()])},
        {"image": pa.array(["nowhere.png", ""])},
        {"image": pa.array([1, 2])},
        {"image": pa.array([[1], [2]])},
        {"image": pa.array([{"bytes": good_picture()}] * 2)},
        {"image": pa.array([{"path": "http://127.0.0.1:9/x.png", "bytes": None}] * 2)},
        {"human_or_machine": pa.array(["human", "machine"])},
    ],
)
def test_columns_of_other_types(tmp_path, capsys, columns):
    table = pq.read_table(write(tmp_path / "sound.parquet", [(good_picture(n), f"number {n}?", [str(n)]) for n in range(2)]))
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, tmp_path / "train.parquet")
    load(tmp_path / "train*.parquet", capsys)
