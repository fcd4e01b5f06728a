"""Copies of training charts in the test split are found, saved again or not, and different charts aren't taken for copies."""

import io

import numpy as np
import pytest
from datasets import Dataset, Image
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

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


def receipt(draw: np.random.Generator) -> PILImage.Image:
    """Nearly all of it is white, as of any page of writing, and every one begins with the shop's name."""
    page = PILImage.new("RGB", (600, 800), "white")
    pen, font, line = ImageDraw.Draw(page), ImageFont.load_default(16), 80
    pen.text((200, 20), "ACME STORE", fill="black", font=font)
    for _ in range(draw.integers(4, 9)):
        pen.text((60, line), draw.choice(["Milk", "Bread", "Apples", "Coffee", "Butter", "Tea"]), fill="black", font=font)
        pen.text((450, line), f"{draw.uniform(1, 99):.2f}", fill="black", font=font)
        line += 40
    pen.text((60, line + 20), f"TOTAL {draw.uniform(1, 999):.2f}", fill="black", font=font)
    return page


def test_pages_of_one_form_are_told_apart_and_their_copies_found():
    draw = np.random.default_rng(0)
    pages = [receipt(draw) for _ in range(40)]
    train = as_rows([saved(page, format="PNG") for page in pages[:32]])
    others = check_leaks(train, as_rows([saved(page, format="PNG") for page in pages[32:]]))
    assert others.distances.max() < SAME  # grey levels alone would call all of them copies
    assert others.leaked == 0
    copies = [saved(page.resize((450, 600)), format="JPEG", quality=60) for page in pages[:8]]
    found = check_leaks(train, as_rows(copies))
    assert found.leaked == 8
    assert found.train_rows.tolist() == list(range(8))


def test_pictures_of_a_single_grey_are_compared_by_it():
    train = as_rows([saved(PILImage.new("RGB", (90, 90), (n * 20,) * 3), format="PNG") for n in range(6)])
    test = as_rows([saved(PILImage.new("RGB", (50, 70), (level,) * 3), format="PNG") for level in (40, 50)])
    assert check_leaks(train, test).leaked == 1
