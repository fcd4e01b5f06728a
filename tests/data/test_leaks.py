"""Copies of training charts in the test split are found, saved again or not, and different charts aren't taken for copies."""

import io

import pytest
from datasets import Dataset, Image
from PIL import Image as PILImage

from helpers.data import FEATURES, SAME, check_leaks, load_chartqa


@pytest.fixture(scope="module")
def train():
    return load_chartqa("embedded", "train", 160)


def as_rows(pictures: list[bytes]) -> Dataset:
    rows = [
        {"image": {"bytes": content, "path": None}, "query": "?", "label": ["1"], "human_or_machine": 1} for content in pictures
    ]
    return Dataset.from_list(rows, features=FEATURES)


def saved(picture: PILImage.Image, **how) -> bytes:
    file = io.BytesIO()
    picture.save(file, **how)
    return file.getvalue()


def test_the_splits_of_chartqa_mini_share_no_chart(train):
    test = load_chartqa("embedded", "test", 160)
    found = check_leaks(train, test)
    assert found.leaked == 0
    pictures = test.with_format(None).cast_column("image", Image(decode=False))["image"]
    assert len(found.distances) == len({picture["bytes"] for picture in pictures})
    assert found.nearest(1)[0][2] == min(found.distances) > SAME


def test_copies_are_found_however_they_were_saved(train):
    picture = train[3]["image"]
    copies = [
        saved(picture, format="PNG"),
        saved(picture.quantize(64), format="PNG"),
        saved(picture.convert("RGBA"), format="PNG"),
        saved(picture, format="JPEG", quality=60),
        saved(picture.resize((700, 700)), format="JPEG", quality=75),
    ]
    stranger = saved(load_chartqa("embedded", "val", 1)[0]["image"], format="PNG")
    found = check_leaks(train, as_rows([*copies, stranger]))
    assert found.leaked == len(copies)
    assert found.distances[0] == 0
    shown = {train[int(at)]["image"].tobytes() for at in found.train_rows[: len(copies)]}
    assert shown == {picture.tobytes()}
    assert sorted(row for row, _, _ in found.nearest(5)) == [0, 1, 2, 3, 4]


def test_real_charts_are_told_apart(shared):
    """Charts of one publisher look much alike: none is taken for another."""
    train = load_chartqa(shared / "data" / "chartqa_real_train_machine.parquet", "train", 60)
    test = load_chartqa(shared / "data" / "chartqa_real.parquet", "test", 120)
    assert check_leaks(train, test).leaked == 0
