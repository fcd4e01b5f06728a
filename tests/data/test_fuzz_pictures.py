"""Hundreds of broken pictures, rows, files and tables through load_chartqa: named or right, never a crash, a hang or a guess.

Everything is drawn from a seed that stands in the test's name. Errors are of the documented kinds, and what is accepted is
judged here anew: by what the mutation was, not by the loader's own checks.
"""

import io
import os
import random

import pytest
from PIL import Image as PILImage

from helpers.data import image_problem, load_chartqa
from tests.data.fuzz import (
    MUTATIONS,
    cut,
    good_picture,
    huge,
    load,
    no_hang,
    picture,
    something_else,
    write,
)


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
