"""The data path: any source, any picture mode, and bad rows that are named."""

import io

import pytest
from datasets import Dataset
from PIL import Image as PILImage

from helpers.data import FEATURES, BadRowError, load_chartqa, open_picture


def picture(mode="RGB", colour=0, kind="PNG") -> bytes:
    buffer = io.BytesIO()
    PILImage.new(mode, (20, 16), colour).save(buffer, format=kind)
    return buffer.getvalue()


def write_parquet(path, rows):
    Dataset.from_list(
        [
            {"image": image and {"bytes": image, "path": None}, "query": query, "label": label, "human_or_machine": 0}
            for image, query, label in rows
        ],
        features=FEATURES,
    ).to_parquet(path)
    return path


def good_rows(count=20):
    return [(picture(colour=(i, 0, 0)), f"question {i}?", [str(i)]) for i in range(count)]


def test_embedded_has_the_hubs_columns_and_rgb_pictures():
    rows = load_chartqa("embedded", "val", 5)
    assert rows.column_names == ["image", "query", "label", "human_or_machine"]
    assert len(rows) == 5
    assert rows[0]["image"].mode == "RGB"
    assert rows[0]["label"] == [rows[0]["label"][0]]


def test_limit_draws_with_the_seed():
    queries = [load_chartqa("embedded", "train", 30, seed=seed)["query"] for seed in (0, 0, 1)]
    assert list(queries[0]) == list(queries[1]) != list(queries[2])


def test_no_seed_moves_a_picture_from_one_split_into_another(tmp_path):
    """A lesson's model, trained with one seed, is judged by another lesson, run with another."""
    file = write_parquet(tmp_path / "mine.parquet", good_rows(40))
    for split in ("train", "val", "test"):
        first, second = (set(load_chartqa(file, split, seed=seed)["query"]) for seed in (0, 1))
        assert first == second
    drawn = [list(load_chartqa(file, "train", 8, seed=seed)["query"]) for seed in (0, 1)]
    assert drawn[0] != drawn[1], "which of them are drawn is the seed's"


@pytest.mark.parametrize(
    ("mode", "kind"), [("P", "PNG"), ("L", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("P", "GIF"), ("RGB", "JPEG"), ("1", "PNG")]
)
def test_every_picture_mode_becomes_rgb(tmp_path, mode, kind):
    rows = [(picture(mode, 0, kind), f"{i}?", ["1"]) for i in range(2)] + [(picture(mode, 1, kind), "x?", ["1"])]
    rows += [(picture("RGB", (9, 9, 9)), "y?", ["2"]), (picture("RGB", (8, 8, 8)), "z?", ["2"])]
    write_parquet(tmp_path / "train.parquet", rows)
    loaded = load_chartqa(tmp_path, "train")
    assert len(loaded) == len(rows)
    assert {row["image"].mode for row in loaded} == {"RGB"}


def test_transparent_becomes_white_not_black():
    assert open_picture(PILImage.new("RGBA", (4, 4), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert open_picture(PILImage.new("RGBA", (4, 4), (10, 20, 30, 255))).getpixel((0, 0)) == (10, 20, 30)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ((b"not a picture", "q?", ["1"]), "image can't be opened"),
        ((picture()[:-30], "q?", ["1"]), "image can't be opened"),
        ((picture(), "  ", ["1"]), "question is empty"),
        ((picture(), "q?", []), "label"),
        ((picture(), "q?", ["1", " "]), "label is empty"),
        ((picture(), "a\u200b\n", ["\u200b"]), "label is empty"),
        ((picture(), "<image>\nq?", ["1"]), "placeholder <image>"),
        ((picture(), "q?", ["<|image_pad|> 1"]), "placeholder"),
        ((picture(), "q?", [""]), "label"),
        ((None, "q?", ["1"]), "image"),
    ],
)
def test_a_bad_row_is_named_or_skipped_and_nothing_else_is_lost(tmp_path, named_or_skipped, bad, words):
    rows = [*good_rows(6), bad, *good_rows(5)]
    write_parquet(tmp_path / "train.parquet", rows)
    named_or_skipped(load_chartqa, tmp_path, words)


def test_skipping_still_finds_as_many_good_rows_as_asked_for(tmp_path):
    write_parquet(tmp_path / "train.parquet", [(b"broken", "q?", ["1"])] * 4 + good_rows(8))
    assert len(load_chartqa(tmp_path, "train", 8, on_error="skip")) == 8


def test_one_parquet_file_is_split_by_picture(tmp_path):
    rows = [(picture(colour=(i // 3, 0, 0)), f"{i}?", [str(i)]) for i in range(90)]  # three questions a chart
    path = write_parquet(tmp_path / "mine.parquet", rows)
    parts = {split: load_chartqa(path, split) for split in ("train", "val", "test")}
    assert {split: len(part) for split, part in parts.items()} == {"train": 72, "val": 9, "test": 9}
    pictures = {split: {row["image"].getpixel((0, 0)) for row in part} for split, part in parts.items()}
    assert not pictures["train"] & pictures["val"] | pictures["train"] & pictures["test"] | pictures["val"] & pictures["test"]


def test_a_folder_with_questions_csv(tmp_path):
    lines = ["image,question,answer"]
    for i in range(10):
        (tmp_path / f"{i}.png").write_bytes(picture(colour=(i, 0, 0)))
        lines.append(f"{i}.png,what is {i}?,{i}")
    (tmp_path / "questions.csv").write_text("\n".join(lines))
    rows = [row for split in ("train", "val", "test") for row in load_chartqa(tmp_path, split)]
    assert sorted(row["label"][0] for row in rows) == [str(i) for i in range(10)]
    (tmp_path / "3.png").unlink()
    with pytest.raises(BadRowError, match=r"3\.png is not there") as caught:
        [load_chartqa(tmp_path, split) for split in ("train", "val", "test")]
    assert caught.value.row == 3


@pytest.mark.parametrize(
    ("header", "words"), [("image,question,anser", "missing: answer"), ("", "missing: image, question, answer")]
)
def test_a_misspelt_csv_column_is_named(tmp_path, header, words):
    (tmp_path / "questions.csv").write_text(header + "\n")
    with pytest.raises(ValueError, match=words):
        load_chartqa(tmp_path, "train")


def test_what_cannot_be_opened_says_what_is_possible(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_chartqa("nowhere.parquet", "train")
    with pytest.raises(FileNotFoundError, match=r"questions\.csv"):
        load_chartqa(tmp_path, "train")
    with pytest.raises(ValueError, match="train, val, test"):
        load_chartqa("embedded", "validation")
    with pytest.raises(ValueError, match="on_error"):
        load_chartqa("embedded", "val", on_error="ignore")
    with pytest.raises(ValueError, match="different images"):
        load_chartqa(write_parquet(tmp_path / "one.parquet", [(picture(), "q?", ["1"])] * 9), "train")


def test_real_chartqa_and_odd_pictures(shared):
    rows = [load_chartqa(shared / "data" / "chartqa_real.parquet", split) for split in ("train", "val", "test")]
    assert sum(map(len, rows)) == 484
    odd = [load_chartqa(shared / "data" / "opencqa_real.parquet", split) for split in ("train", "val", "test")]
    assert sum(map(len, odd)) == 60
    assert {row["image"].mode for part in odd for row in part} == {"RGB"}
