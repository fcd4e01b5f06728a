"""One's own test set: what is wrong with the folder is said in words, and the good rows are scored all the same."""

import pytest

from helpers.data import load_chartqa
from helpers.evaluation import evaluate_folder, generate_answers

HEADER = "image,question,answer"


@pytest.fixture(scope="module")
def pictures():
    return [row["image"] for row in load_chartqa("embedded", "test", 4)]


@pytest.fixture
def folder(tmp_path, pictures):
    """Four good pictures, two of them with transparency and with a palette, and one file that is none."""
    pictures[0].save(tmp_path / "plain.png")
    pictures[1].convert("RGBA").save(tmp_path / "transparent.png")
    pictures[2].quantize(64).save(tmp_path / "palette.png")
    pictures[3].save(tmp_path / "photo.jpg")
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    return tmp_path


@pytest.fixture
def evaluate(folder, model, processor):
    def write_and_evaluate(*lines, name="questions.csv", encoding="utf-8"):
        (folder / name).write_text("\n".join(lines), encoding=encoding)
        return evaluate_folder(folder, model, processor)

    return write_and_evaluate


def test_the_good_rows_of_a_flawed_folder_are_scored(evaluate):
    report = evaluate(
        "image,question,anwser",
        "plain.png,What is the highest value?,5",
        "plane.png,What is the highest value?,5",
        "transparent.png,What is the lowest value?,5",
        "plain.png,what is the highest value?,5",
        "palette.png,What is the first value?,",
        "broken.png,What is the last value?,5",
        "palette.png,,5",
        "photo.jpg,Is it so, or not?,Yes",
        'photo.jpg,"Is it so, or not?",Yes',
    )
    assert report.scored == 3
    assert [row.image.name for row in report.rows] == ["plain.png", "transparent.png", "photo.jpg"]
    expected = [
        ("line 1", "'anwser'", "Did you mean 'answer'?"),
        ("line 3", "plane.png is not there", "Did you mean plain.png?"),
        ("line 5", "duplicate of line 2"),
        ("line 6", "answer is empty"),
        ("line 7", "can't be opened"),
        ("line 8", "question is empty"),
        ("line 9", "4 cells", "Quote a text"),
    ]
    assert len(report.problems) == len(expected)
    for problem, words in zip(report.problems, expected, strict=True):
        assert all(word in problem for word in words), problem
    for text in (str(report), report._repr_html_()):
        assert "on 3 rows; 7 problems" in text
        assert all(problem.split("'")[0] in text for problem in report.problems)


def test_the_score_is_the_share_of_right_answers(evaluate, pictures, model, processor):
    questions = ["What is the highest value?", "What is the lowest value?"]
    rows = [{"image": pictures[0], "query": question} for question in questions]
    first, second = generate_answers(model, processor, rows)
    report = evaluate(HEADER, f'plain.png,{questions[0]},"{first}"', f"plain.png,{questions[1]},not {second}")
    assert (report.score, report.scored, report.problems) == (0.5, 2, [])
    (failure,) = report.failures
    assert failure["image"].mode == "RGB"
    assert failure["text"] == f"{questions[1]}\ntruth: not {second}\nmodel: {second}"


def test_the_same_question_with_another_answer_is_said(evaluate):
    report = evaluate(HEADER, "plain.png,What?,5", "plain.png,What?,6", "photo.jpg,What?,6")
    assert report.scored == 2
    assert "another answer ('6', there '5')" in report.problems[0]


@pytest.mark.parametrize(
    "lines",
    [
        ("image;question;answer", "plain.png;Is it so, or not?;Yes"),
        ("image\tquestion\tanswer", "plain.png\tIs it so, or not?\tYes"),
        ("", "remark, image, question, answer", 'odd, plain.png, "What?", 5', ""),
        ("Image,Question,Answer", "plain.png,What?,5"),
    ],
)
def test_what_spreadsheets_write(evaluate, lines):
    assert evaluate(*lines, name="mine.csv", encoding="utf-8-sig").scored == 1


def test_what_cannot_be_evaluated_says_what_to_do(evaluate, folder, model, processor):
    with pytest.raises(FileNotFoundError, match=r"holds no CSV file.*questions\.csv"):
        evaluate_folder(folder, model, processor)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        evaluate_folder(folder / "nowhere", model, processor)
    with pytest.raises(ValueError, match=r"columns picture, text, and none that could be 'image'.*image, question, answer"):
        evaluate("picture,text", "plain.png,What?")
    with pytest.raises(ValueError, match=r"no row that can be scored(?s:.*)line 2: the image gone\.png is not there"):
        evaluate(HEADER, "gone.png,What?,5")
    with pytest.raises(ValueError, match="no row that can be scored"):
        evaluate(HEADER)
    with pytest.raises(ValueError, match="UTF-8"):
        evaluate(HEADER, "plain.png,Größe?,5", encoding="cp1252")
    (folder / "a.csv").write_text(HEADER)
    (folder / "questions.csv").rename(folder / "b.csv")
    with pytest.raises(FileNotFoundError, match=r"several CSV files \(a\.csv, b\.csv\)"):
        evaluate_folder(folder, model, processor)
