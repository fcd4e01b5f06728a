"""The one reader of questions.csv: whatever wrote the file, the same rows; what could be misread is named by its line."""

import contextlib
import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.data import BadRowError, find_picture, load_chartqa, read_questions
from helpers.evaluation import evaluate_folder
from tests.data.pictures import chart_folder

ROWS = [
    ("a.png", "How much, in all?", "3"),
    ("b.png", 'What is "x"?', "Yes; no"),
    ("c.png", "Über wie viele Zeilen?\nzwei", "4"),
]


def write(path, rows, delimiter=",", header=("image", "question", "answer"), encoding="utf-8", sep=False):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([header, *rows])
    path.write_bytes(((f"sep={delimiter}\r\n" if sep else "") + buffer.getvalue()).encode(encoding))
    return path


def cells(path):
    return [(row.image, row.question, row.answer) for row in read_questions(path).rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("sep", [False, True])
def test_every_dialect_gives_the_same_rows(tmp_path, delimiter, encoding, sep):
    path = write(tmp_path / "questions.csv", ROWS, delimiter, encoding=encoding, sep=sep)
    assert cells(path) == ROWS
    assert [row.line for row in read_questions(path).rows] == [2 + sep, 3 + sep, 4 + sep]


@pytest.mark.parametrize(
    "text",
    [
        " Image ;QUESTION; answer ;;\n a.png ; how many? ; 3 ;;\n;;;;\n",
        "image,question,answer\na.png,how many?,3\n,,\n , , \n\n",
        'sep=,\n"image","question","answer"\n"a.png" , "how many?" , "3"\n',
        "id,image,note,question,answer\n1,a.png,,how many?,3\n",
        "image,query,label\na.png,how many?,3\n",
    ],
)
def test_what_spreadsheets_leave_behind(tmp_path, text):
    (tmp_path / "questions.csv").write_text(text)
    assert cells(tmp_path / "questions.csv") == [("a.png", "how many?", "3")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,question,answer,Answer\na.png,q?,1,2\n", "line 1: the column answer is there twice"),
        ("\n\nimage,question\na.png,q?\n", r"line 3: .*missing: answer"),
        ('image,question,answer\na.png,q?,1\nb.png,"q?,1\nc.png,q?,1\n', "line 3: a quote opens there"),
        ('image,question,answer\na.png,"q?,1\nb.png,"w?",1\n', "line 2: a quote opens there"),
    ],
)
def test_what_could_be_misread_is_refused_with_its_line(tmp_path, text, words):
    (tmp_path / "questions.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_questions(tmp_path / "questions.csv")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (",q?,1", "the image is empty"),
        ("a.png,,1", "the question is empty"),
        ("a.png,q?", "the answer is empty"),
        ("a.png,q?,#N/A", "#N/A, what a spreadsheet writes"),
        ("a.png,q?,1,000", "4 cells under 3 columns"),
        ('a.png,"q?,1\nb.png,w?,2"', "a quote that spans 2 lines"),
    ],
)
def test_a_bad_row_keeps_its_line(tmp_path, line, words):
    (tmp_path / "questions.csv").write_text(f"image,question,answer\na.png,x?,1\n{line}\n")
    first, bad = read_questions(tmp_path / "questions.csv").rows
    assert first.problem is None
    assert bad.line == 3
    assert words in bad.problem


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("\n\",;\t'"), min_size=1, max_size=12).filter(
    lambda text: text.strip().strip("\0")
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    sep=st.booleans(),
)
def test_any_table_comes_back(tmp_path_factory, rows, delimiter, encoding, sep):
    path = write(tmp_path_factory.mktemp("any") / "questions.csv", rows, delimiter, encoding=encoding, sep=sep)
    assert cells(path) == [tuple(cell.strip() for cell in row) for row in rows]


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=2, max_size=6), share=st.floats(0, 1))
def test_cut_anywhere_no_row_vanishes_unnamed(tmp_path_factory, rows, share):
    path = write(tmp_path_factory.mktemp("cut") / "questions.csv", rows)
    content = path.read_bytes().decode()
    kept = content[: max(24, int(share * len(content)))]
    path.write_bytes(kept.encode())
    found, refused = [], ""
    try:
        found = read_questions(path).rows
    except ValueError as error:
        refused = str(error)
    assert not refused or ", line " in refused
    whole = [tuple(cell.strip() for cell in row) for row in rows]
    assert all((row.image, row.question, row.answer) == true for row, true in zip(found[:-1], whole, strict=False))
    if found and (found[-1].image, found[-1].question) != whole[len(found) - 1][:2]:
        assert found[-1].problem, "the row that was cut"


@pytest.mark.parametrize(
    ("named", "stored"),
    [
        ("sub\\a.png", "sub/a.png"),
        (unicodedata.normalize("NFC", "café.png"), unicodedata.normalize("NFD", "café.png")),
        (unicodedata.normalize("NFD", "café.png"), unicodedata.normalize("NFC", "café.png")),
        ("CHART.PNG", "chart.png"),
        ("Sub\\Chart.png", "sub/CHART.png"),
    ],
)
def test_a_picture_is_found_under_another_spelling(tmp_path, named, stored):
    (tmp_path / stored).parent.mkdir(exist_ok=True)
    (tmp_path / stored).write_bytes(b"x")
    assert find_picture(tmp_path, named).read_bytes() == b"x"


def test_a_wrong_name_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "sales_2024.png").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match=r"Did you mean sales_2024\.png"):
        find_picture(tmp_path, "sale_2024.png")


def test_training_and_evaluation_name_the_same_line(tmp_path, model, processor):
    folder = chart_folder(tmp_path)
    text = (folder / "questions.csv").read_text().splitlines()
    (folder / "questions.csv").write_text("\n".join([*text[:4], "nowhere.png,q?,1", *text[4:]]))
    said = []
    for split in ("train", "val", "test"):
        with contextlib.suppress(BadRowError):
            load_chartqa(folder, split)
            continue
        said.append(split)
    assert len(said) == 1
    words = "line 5.*: the image nowhere.png is not there"
    with pytest.raises(BadRowError, match=words):
        load_chartqa(folder, said[0])
    assert any(re.match(words, problem) for problem in evaluate_folder(folder, model, processor).problems)
