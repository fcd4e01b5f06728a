"""`python -m helpers check`: the verdict on sound data, on real data, and on each kind of oddity."""

import pytest
from datasets import Dataset

from helpers.__main__ import main
from helpers.data import FEATURES
from helpers.evaluation import check_dataset, data_check
from helpers.paths import EMBEDDED_PREFERENCES
from tests.data.pictures import chart, chart_folder
from tests.models.families import gemma3


def table(path, rows):
    made = [{"image": {"bytes": p, "path": None}, "query": q, "label": [a], "human_or_machine": 0} for p, q, a in rows]
    Dataset.from_list(made, features=FEATURES).to_parquet(path)
    return path


def sound(count=10):
    return [(chart(n), f"How many in {n}?", str(n)) for n in range(count)]


@pytest.mark.parametrize(("source", "rows"), [("embedded", 3680), (str(EMBEDDED_PREFERENCES), 2200)])
def test_the_embedded_data_is_sound(source, rows, capsys):
    assert main(["check", source]) == 0
    said = capsys.readouterr().out
    assert f"sound; {rows} good rows of {rows}" in said
    assert "tokens trained" in said


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("chartqa_real", marks=pytest.mark.slow),  # the largest
        "chartqa_real_train_machine",
        "opencqa_real",
        "preference_real",
    ],
)
def test_real_data_is_sound(shared, name):
    report = check_dataset(shared / "data" / f"{name}.parquet")
    assert report.sound, str(report)
    assert report.bad == 0


REPORTED = {  # what a user expects of each input of the reference folder: words of the one problem, or None where it is read
    "01_semicolon": None, "05_trailing_empty_rows": None, "07_duplicate_column": "answer is there twice",
    "08_unclosed_quote": "line 5", "10_backslash": None, "14_nfd": None, "30_exif": None, "41_bad_chart_pdf": "a PDF",
    "41_bad_chart_svg": "an SVG", "41_bad_heic_as_jpg": "HEIC", "41_bad_heic_heic": "HEIC", "41_bad_html_png": "HTML",
    "41_bad_lfs_png": "git lfs pull", "41_bad_zero_png": "0 bytes", "63_appledouble": None, "66_lmms": None,
    "70_image_token": "placeholder <image>", "81_full_conv": None,
}  # fmt: skip


def test_what_people_reported(shared):
    found = {path.name for path in (shared / "bugs").iterdir() if path.is_dir()}
    assert found == set(REPORTED)
    for name, words in REPORTED.items():
        report = check_dataset(shared / "bugs" / name)
        assert report.sound == (words is None), str(report)
        assert words is None or all(words in problem for problem in report.problems), str(report)


def test_every_bad_row_is_named_with_its_line(tmp_path, processor, capsys):
    folder = chart_folder(tmp_path)
    with open(folder / "questions.csv", "a", encoding="utf-8") as file:
        file.write("c0.png,,1\nc1.png,What is <image>?,1\nnone.png,q?,1\n")
    assert main(["check", str(folder)]) == 1
    said = capsys.readouterr().out
    for words in (
        "3 problems; 12 good rows of 15",
        "line 14): the question is empty",
        "line 15): the question has the",
        "line 16)",
    ):
        assert words in said


def test_leaks_and_contradictions_are_problems(tmp_path):
    table(tmp_path / "train.parquet", [*sound(), (chart(3), "how many in 3?", "17")])
    table(tmp_path / "test.parquet", [(chart(3, "JPEG", quality=95), "And here?", "3"), (chart(77), "And here?", "4")])
    report = check_dataset(tmp_path)
    assert len(report.problems) == 2
    assert any("1 pictures of test occur in train" in problem for problem in report.problems)
    assert any("two different answers" in problem for problem in report.problems)


def test_the_models_own_placeholder_counts_and_the_mask_is_looked_at(tmp_path, processor):
    table(tmp_path / "train.parquet", [*sound(), (chart(50), f"What is {processor.fake_image_token}?", "1")])
    report = check_dataset(tmp_path, processor)
    assert report.bad == 1
    assert "placeholder" in report.problems[0]
    facts = dict(report.facts)
    assert facts["label mask of row 0"].split()[0] == "3"
    assert facts["image tokens"].startswith("64 to 64")
    assert "<th" in report._repr_html_()


def test_the_image_token_is_the_one_that_the_model_fills(tmp_path):
    """On Gemma 3 the processor's own `image_token` marks the beginning of a picture, once; four tokens are filled."""
    model, gemma = gemma3()
    assert gemma.image_token_id != model.config.image_token_id
    filled = (chart(50), f"What is {gemma.tokenizer.image_token}?", "1")
    report = check_dataset(table(tmp_path / "mine.parquet", [*sound(), filled]), gemma)
    assert dict(report.facts)["image tokens"].startswith("4 to 4 a row")
    assert report.bad == 1
    assert "placeholder <image_soft_token>" in report.problems[0]


@pytest.mark.parametrize(
    ("trained", "words"), [(False, "no token of row 0 would be"), (True, "64 image tokens of row 0 would be")]
)
def test_a_mask_that_trains_nothing_or_the_picture_is_a_problem(tmp_path, processor, monkeypatch, trained, words):
    ids = [processor.image_token_id] * 64 + [5, 6]
    monkeypatch.setattr(data_check, "_collated", lambda row, processor: (ids, ids if trained else [-100] * len(ids)))
    report = check_dataset(table(tmp_path / "mine.parquet", sound()), processor)
    assert any(words in problem for problem in report.problems), str(report)


def test_bad_usage(capsys, tmp_path):
    assert main(["check", str(tmp_path / "nothing")]) == 2
    assert "no such file or folder" in capsys.readouterr().err
    assert main(["check", "embedded", "--model", str(tmp_path)]) == 2
    assert f"error: {tmp_path} holds no model: there is no config.json in it" in capsys.readouterr().err
    (tmp_path / "adapter_config.json").write_text("{}")
    assert main(["check", "embedded", "--model", str(tmp_path)]) == 2
    assert "holds an adapter, no model" in capsys.readouterr().err
    with pytest.raises(ValueError, match="questions or preferences"):
        check_dataset("embedded", kind="pictures")
