"""Data's fingerprint follows its content: texts, order and pictures, wherever they lie; nothing is decoded for it."""

import shutil

import pytest
from PIL import Image

from helpers.data import load_chartqa, load_preferences
from helpers.training import data_fingerprint


@pytest.fixture
def folder(tmp_path):
    """Ten questions on ten charts of one's own."""
    home = tmp_path / "mine"
    home.mkdir()
    for at in range(10):
        Image.new("RGB", (8, 8), (at, 0, 0)).save(home / f"{at}.png")
    lines = [f"{at}.png,How many are in chart {at}?,{at}" for at in range(10)]
    (home / "questions.csv").write_text("\n".join(["image,question,answer", *lines]) + "\n", encoding="utf-8")
    return home


def key(folder, **settings) -> str:
    return data_fingerprint(load_chartqa(folder, "train", **settings))


def test_it_follows_an_answer_a_question_a_picture_and_the_choice_of_rows(folder):
    before, questions = key(folder), folder / "questions.csv"
    assert key(folder) == before
    assert key(folder, limit=3) != before
    text = questions.read_text(encoding="utf-8")
    for old, new in ((",{at}\n", ",{at}0\n"), ("How many are in chart {at}?", "How much is in chart {at}?")):
        changed = text
        for at in range(10):
            changed = changed.replace(old.format(at=at), new.format(at=at))
        questions.write_text(changed, encoding="utf-8")
        assert key(folder) != before
    questions.write_text(text, encoding="utf-8")
    assert key(folder) == before
    for at in range(10):
        Image.new("RGB", (8, 8), (at, 1, 0)).save(folder / f"{at}.png")
    assert key(folder) != before


def test_a_folder_that_is_moved_is_the_same_data(folder, tmp_path):
    before = key(folder)
    shutil.move(folder, tmp_path / "elsewhere")
    assert key(tmp_path / "elsewhere") == before


def test_it_sees_rows_in_their_order_and_not_what_a_transform_makes_of_them():
    rows = load_chartqa("embedded", "val", 6)
    before = data_fingerprint(rows)
    assert data_fingerprint(rows.with_transform(lambda batch: 1 / 0)) == before
    assert data_fingerprint(rows.select([1, 0, 2, 3, 4, 5])) != before
    assert data_fingerprint(rows.select(range(6))) == before


def test_it_takes_pairs_too():
    pairs = load_preferences("embedded", "test")
    assert data_fingerprint(pairs.select(range(4))) != data_fingerprint(pairs.select(range(1, 5)))
