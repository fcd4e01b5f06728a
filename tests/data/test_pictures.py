"""One opener: upright and RGB, and one sentence on what is no picture, in training, evaluation, ask and leak check."""

import base64
import io

import numpy as np
import pytest
from datasets import Dataset
from PIL import Image as PILImage

from helpers.__main__ import main
from helpers.data import FEATURES, BadRowError, PictureError, check_leaks, load_chartqa, open_picture
from helpers.evaluation import evaluate_folder
from tests.data.pictures import NO_PICTURES, chart, chart_folder, sideways


def test_a_photograph_is_upright_from_every_kind_of_source(tmp_path):
    upright = open_picture(chart(1)).tobytes()
    (tmp_path / "photo.png").write_bytes(sideways(1))
    stored = sideways(1)
    for source in (stored, tmp_path / "photo.png", str(tmp_path / "photo.png"), {"bytes": stored, "path": None}):
        assert open_picture(source).tobytes() == upright
    with PILImage.open(io.BytesIO(stored)) as opened:
        assert open_picture(opened).tobytes() == upright
        assert open_picture(open_picture(opened)).tobytes() == upright


def seen(folder) -> dict[str, bytes]:
    rows = [row for split in ("train", "val", "test") for row in load_chartqa(folder, split)]
    return {row["query"]: row["image"].tobytes() for row in rows}


def test_training_evaluation_and_ask_see_the_same_picture(tmp_path, model, processor, capsys):
    """Sideways photographs and the same ones saved upright: the same rows, the same answers."""
    folders = [tmp_path / "upright", tmp_path / "sideways"]
    for folder, made in zip(folders, (chart, sideways), strict=True):
        folder.mkdir()
        chart_folder(folder)
        for at in range(12):
            (folder / f"c{at}.png").write_bytes(made(at))
    upright, turned = (seen(folder) for folder in folders)
    assert upright == turned
    answers = [[row.answer for row in evaluate_folder(folder, model, processor).rows] for folder in folders]
    assert answers[0] == answers[1]
    asked = []
    for folder in folders:
        assert main(["ask", str(folder / "c1.png"), "How many in chart 1?"]) == 0
        asked.append(capsys.readouterr().out.strip())
    assert asked[0] == asked[1] == answers[0][1]


def test_the_leak_check_finds_a_photograph_that_was_saved_upright_elsewhere():
    def rows(pictures):
        made = [{"image": {"bytes": p, "path": None}, "query": "?", "label": ["1"], "human_or_machine": 0} for p in pictures]
        return Dataset.from_list(made, features=FEATURES)

    train, test = rows([chart(n) for n in range(6)]), rows([sideways(3), chart(100)])
    assert check_leaks(train, test).leaked == 1


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_named_for_what_it_is(tmp_path, name, model, processor, capsys):
    content, words = NO_PICTURES[name]
    folder = chart_folder(tmp_path)
    (folder / name).write_bytes(content)
    with open(folder / "questions.csv", "a", encoding="utf-8") as file:
        file.write(f"{name},q?,1\n")
    with pytest.raises(PictureError, match=words):
        open_picture(folder / name)
    found = []
    for split in ("train", "val", "test"):
        try:
            load_chartqa(folder, split)
        except BadRowError as error:
            found.append(error)
    (error,) = found
    assert error.row == 12
    assert "line 14" in str(error)
    assert words in str(error)
    assert any(line.startswith("line 14") and words in line for line in evaluate_folder(folder, model, processor).problems)
    assert main(["ask", str(folder / name), "q?"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: ")
    assert words in said


def test_a_web_address_is_said_to_be_one(tmp_path):
    with pytest.raises(PictureError, match="web address: download"):
        open_picture("https://example.org/chart.png")
    folder = chart_folder(tmp_path)
    with open(folder / "questions.csv", "a", encoding="utf-8") as file:
        file.write("https://example.org/chart.png,q?,1\n")
    problems = [str(error) for split in ("train", "val", "test") if (error := failure(folder, split))]
    assert len(problems) == 1
    assert "web address" in problems[0]


def failure(folder, split):
    try:
        load_chartqa(folder, split)
    except BadRowError as error:
        return error
    return None


LONG = base64.b64encode(chart(1, size=(300, 200))).decode()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file:///home/me/chart.png", "the address of a file: give its name without file://"),
        (f"data:image/png;base64,{LONG}", "a picture written as text"),
        (LONG, "a picture written as text"),
        (LONG * (150_000 // len(LONG)), "a picture written as text"),  # more than csv allows a cell by itself
    ],
    ids=["address", "data", "base64", "long"],
)
def test_what_is_no_files_name_is_said_in_a_short_sentence(tmp_path, name, words):
    with pytest.raises(PictureError, match=words) as error:
        open_picture(name)
    assert len(str(error.value)) < 200
    for kind in ("csv", "parquet"):
        (tmp_path / kind).mkdir()
    folder = chart_folder(tmp_path / "csv")
    with open(folder / "questions.csv", "a", encoding="utf-8") as file:
        file.write(f'"{name}",q?,1\n')
    columns = {"image": [name] * 6, "query": ["q?"] * 6, "label": ["1"] * 6}
    Dataset.from_dict(columns).to_parquet(tmp_path / "parquet" / "train.parquet")
    problems = [str(error) for split in ("train", "val", "test") if (error := failure(folder, split))]
    problems.append(str(failure(tmp_path / "parquet", "train")))
    assert len(problems) == 2
    assert all(words in problem and len(problem) < 600 for problem in problems)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("clear", [None, 0, 65535])
def test_grey_of_16_bits_is_scaled_before_one_grey_is_taken_for_clear(kind, clear):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(8, 0)
    file = io.BytesIO()
    if kind == "PNG":
        PILImage.fromarray(ramp).save(file, "PNG", transparency=clear)
    else:  # bytes in the other order; a TIFF has no clear grey
        PILImage.frombytes("I;16B", (64, 8), ramp.astype(">u2").tobytes()).save(file, "TIFF")
    seen = np.asarray(open_picture(file.getvalue()).convert("L"))
    wanted = np.round(ramp / 257)
    if kind == "PNG" and clear is not None:
        wanted[ramp == clear] = 255
    np.testing.assert_allclose(seen, wanted, atol=1)


def test_a_half_written_image_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not there"):
        open_picture({"path": str(tmp_path / "none.png")})
    with pytest.raises(PictureError, match="there is no image"):
        open_picture({})
