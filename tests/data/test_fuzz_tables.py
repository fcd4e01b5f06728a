"""Tables and CSV files full of odd values, and damaged ones."""

import random
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.fuzz import (
    cut,
    flip,
    good_picture,
    insert,
    load,
    something_else,
    write,
    zero_a_stretch,
)

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
