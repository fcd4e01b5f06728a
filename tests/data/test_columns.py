"""Columns under other names and in other forms are mapped, and said to be; what isn't known is refused in a few words."""

import errno
import json
from pathlib import Path

import datasets
import pytest
from datasets import Dataset, Features, Image, List, Value

from helpers.data import BadRowError, find_csv, load_chartqa, load_preferences, questions_of
from tests.data.pictures import chart, chart_folder


def stored(seed: int) -> dict:
    return {"bytes": chart(seed), "path": None}


def write(folder: Path, columns: dict, features: dict | None = None) -> Path:
    kept = Features(features) if features else None
    Dataset.from_dict(columns, features=kept).to_parquet(folder / "train.parquet")
    return folder


TURNS = List({"from": Value("string"), "value": Value("string")})
ROLES = List({"role": Value("string"), "content": Value("string")})


def llava(at: int) -> list[dict]:
    return [{"from": "human", "value": f"<image>\nHow many in {at}?"}, {"from": "gpt", "value": str(at)}]


QUESTIONS = {  # columns, their types, and what the line about them says
    "lmms-eval": (
        lambda n: {"image": stored(n), "question": f"How many in {n}?", "answer": str(n), "type": "human_test"},
        {"image": Image(), "question": Value("string"), "answer": Value("string"), "type": Value("string")},
        "question, answer, type",
    ),
    "alternatives": (
        lambda n: {"image": stored(n), "question": f"How many in {n}?", "answers": [str(n), "many"]},
        {"image": Image(), "question": Value("string"), "answers": List(Value("string"))},
        "every row counts as human",
    ),
    "lists of one picture": (
        lambda n: {"images": [stored(n)], "query": f"How many in {n}?", "label": [str(n)], "human_or_machine": 1},
        {"images": List(Image()), "query": Value("string"), "label": List(Value("string")), "human_or_machine": Value("int64")},
        "images",
    ),
    "numbers": (
        lambda n: {"image": stored(n), "query": f"How many in {n}?", "label": n},
        {"image": Image(), "query": Value("string"), "label": Value("int64")},
        "every row counts as human",
    ),
    "LLaVA": (
        lambda n: {"image": stored(n), "conversations": llava(n)},
        {"image": Image(), "conversations": TURNS},
        "conversations",
    ),
}


def columns_of(row_of, count: int = 6) -> dict:
    rows = [row_of(n) for n in range(count)]
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize("layout", QUESTIONS)
def test_common_layouts_of_questions_are_mapped_and_said_to_be(tmp_path, capsys, layout):
    row_of, features, words = QUESTIONS[layout]
    rows = load_chartqa(write(tmp_path, columns_of(row_of), features), "train")
    assert rows.column_names == ["image", "query", "label", "human_or_machine"]
    assert [row["query"] for row in rows] == [f"How many in {n}?" for n in range(6)]
    assert [row["label"][0] for row in rows] == [str(n) for n in range(6)]
    assert rows[0]["image"].mode == "RGB"
    assert words in capsys.readouterr().out


def test_paths_count_from_the_files_folder_brackets_and_all(tmp_path):
    folder = tmp_path / "[2025] é #1"
    folder.mkdir()
    chart_folder(folder)
    (folder / "questions.csv").unlink()
    columns = {"image": [f"c{n}.png" for n in range(6)], "query": ["q?"] * 6, "label": [[str(n)] for n in range(6)]}
    rows = load_chartqa(write(folder, columns), "train")
    assert len({row["image"].tobytes() for row in rows}) == 6
    assert len(load_chartqa(str(folder / "*.parquet").replace("[", "[[]"), "train")) == 6
    (folder / "train.parquet").rename(folder / "mine.parquet")
    assert len(load_chartqa(folder / "mine.parquet", "test")) == 2


@pytest.mark.parametrize(("pictures", "words"), [(2, "it has 2 pictures"), (0, "there is no image")])
def test_a_question_about_several_pictures_or_none_is_refused_by_its_row(tmp_path, capsys, pictures, words):
    counts = [1, 1, 1, pictures, 1, 1]
    columns = {"images": [[stored(n)] * count for n, count in enumerate(counts)], "query": ["q?"] * 6, "label": [["1"]] * 6}
    write(tmp_path, columns, {"images": List(Image()), "query": Value("string"), "label": List(Value("string"))})
    with pytest.raises(BadRowError, match=words) as caught:
        load_chartqa(tmp_path, "train")
    assert caught.value.row == 3
    assert len(load_chartqa(tmp_path, "train", on_error="skip")) == 5


def test_pairs_may_have_several_pictures_and_none_is_left_out_in_silence(tmp_path):
    columns = columns_of(lambda n: {"images": [stored(n), stored(50 + n)], "prompt": "Which?", "chosen": "A", "rejected": "B"})
    text = Value("string")
    write(tmp_path, columns, {"images": List(Image()), "prompt": text, "chosen": text, "rejected": text})
    pairs = load_preferences(tmp_path, "train")
    assert {len(row["images"]) for row in pairs} == {2}
    with pytest.raises(ValueError, match="has 2 pictures"):
        questions_of(pairs)


def said(role: str, text: str) -> dict:
    return {"role": role, "content": text}


@pytest.mark.parametrize("with_prompt", [True, False])
def test_whole_conversations_are_split_off_their_prompt(tmp_path, capsys, with_prompt):
    def row_of(n):
        asked = [said("user", f"How many in {n}?")]
        row = {"image": stored(n), "chosen": [*asked, said("assistant", str(n))], "rejected": [*asked, said("assistant", "no")]}
        return row | ({"prompt": f"How many in {n}?"} if with_prompt else {})

    features = {"image": Image(), "chosen": ROLES, "rejected": ROLES} | ({"prompt": Value("string")} if with_prompt else {})
    pairs = load_preferences(write(tmp_path, columns_of(row_of, 12), features), "train")
    for row in pairs:
        assert [turn["role"] for turn in row["prompt"]] == ["user"]
        assert [turn["role"] for turn in row["chosen"] + row["rejected"]] == ["assistant", "assistant"]
    assert "whole conversations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([said("user", "Something else?"), said("assistant", "1")], "begin differently"),
        ([said("user", "q?")], "said by user"),
        ([said("assistant", "see <image>")], "placeholder <image>"),
    ],
)
def test_pairs_that_would_train_the_question_are_refused_by_their_row(tmp_path, chosen, words):
    columns = columns_of(
        lambda n: {
            "image": stored(n),
            "prompt": "q?",
            "chosen": chosen if n == 6 else [said("assistant", "1")],
            "rejected": [said("assistant", "2")],
        },
        12,
    )
    write(tmp_path, columns, {"image": Image(), "prompt": Value("string"), "chosen": ROLES, "rejected": ROLES})
    Dataset.from_parquet(str(tmp_path / "train.parquet")).select(range(2)).to_parquet(tmp_path / "test.parquet")
    Dataset.from_parquet(str(tmp_path / "train.parquet")).select(range(2)).to_parquet(tmp_path / "val.parquet")
    with pytest.raises(BadRowError, match=words) as caught:
        load_preferences(tmp_path, "train")
    assert caught.value.row == 6
    assert len(load_preferences(tmp_path, "train", on_error="skip")) == 11


@pytest.mark.parametrize("load", [load_chartqa, load_preferences])
def test_what_is_not_known_is_refused_in_a_few_words(tmp_path, load):
    write(tmp_path, {f"a_column_with_a_long_name_{n}": [1] * 6 for n in range(30)})
    with pytest.raises(ValueError, match="needs the columns image") as caught:
        load(tmp_path, "train")
    assert "It has a_column_with_a_long_name_0" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_four_ways_to_be_unreadable_are_four_sentences(tmp_path, monkeypatch):
    said, path = [], tmp_path / "train.parquet"
    for content in (b"", b"PAR1 broken"):
        path.write_bytes(content)
        said.append(refusal(tmp_path))
    for code in (errno.EROFS, errno.ENOSPC):

        def fail(*_, code=code, **__):
            raise OSError(code, "told so")

        monkeypatch.setattr(datasets, "load_dataset", fail)
        said.append(refusal(tmp_path))
    for words, sentence in zip(
        ("0 bytes", "broken or of another kind", "nothing can be written", "disk is full"), said, strict=True
    ):
        assert words in sentence
    assert len(set(said)) == 4


def refusal(folder: Path) -> str:
    with pytest.raises((OSError, ValueError)) as caught:
        load_chartqa(folder, "train")
    return str(caught.value)


def test_hidden_files_are_left_alone(tmp_path):
    row_of, features, _ = QUESTIONS["numbers"]
    write(tmp_path, columns_of(row_of), features)
    (tmp_path / "._train.parquet").write_bytes(b"\0\5\26\7" + b"\0" * 100)
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "train.parquet").write_bytes(b"old")
    assert len(load_chartqa(tmp_path, "train")) == 6


@pytest.mark.parametrize("limit", [-1, 0, 2.5, True, "3"])
@pytest.mark.parametrize("load", [load_chartqa, load_preferences])
def test_a_limit_is_a_whole_number_from_1(load, limit):
    with pytest.raises(ValueError, match=r"limit is .*; it is a whole number from 1"):
        load("embedded", "train", limit)


def test_the_same_question_with_two_answers_is_said_with_a_count(tmp_path, capsys):
    columns = columns_of(lambda n: {"image": stored(n // 2), "query": "How many?", "label": [str(n)]}, 10)
    write(tmp_path, columns, {"image": Image(), "query": Value("string"), "label": List(Value("string"))})
    assert len(load_chartqa(tmp_path, "train")) == 10
    assert "5 questions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("labels", "kind", "texts"),
    [
        ([41.0, 2019.0, 0.5, None, 3.0, 4.0], "float64", ["41", "2019", "0.5", None, "3", "4"]),
        ([41.0, float("nan"), 0.5, 1.0, 3.0, 4.0], "float64", ["41", None, "0.5", "1", "3", "4"]),
        ([0.1, 41.0, 2.75, 1.0, 3.0, 4.0], "float32", ["0.1", "41", "2.75", "1", "3", "4"]),
    ],
)
def test_numbers_are_the_texts_that_somebody_would_write(tmp_path, capsys, labels, kind, texts):
    columns = columns_of(lambda n: {"image": stored(n), "query": f"q{n}?", "label": labels[n]})
    write(tmp_path, columns, {"image": Image(), "query": Value("string"), "label": Value(kind)})
    rows = load_chartqa(tmp_path, "train", on_error="skip")
    assert [row["label"] for row in rows] == [[text] for text in texts if text is not None]
    assert ("skipped 1 of 6" in capsys.readouterr().out) == (None in texts)


@pytest.mark.parametrize(
    ("column", "value", "kind", "words"),
    [
        ("label", [{"answer": "a"}], List({"answer": Value("string")}), "a label is a dict"),
        ("label", [["a"]], List(List(Value("string"))), "a label is a list"),
        ("query", ["a?", "b?"], List(Value("string")), "a question is a list"),
    ],
)
def test_what_is_no_text_is_not_trained_as_if_it_were(tmp_path, column, value, kind, words):
    columns = columns_of(lambda n: {"image": stored(n), "query": "q?", "label": "1"} | {column: value})
    write(tmp_path, columns, {"image": Image(), "query": Value("string"), "label": Value("string")} | {column: kind})
    with pytest.raises(ValueError, match=words):
        load_chartqa(tmp_path, "train")


def test_who_asked_may_be_written_beside_lists_of_labels(tmp_path):
    features = {"image": Image(), "query": Value("string"), "label": List(Value("string")), "human_or_machine": Value("string")}
    origins = ("human", "machine")
    columns = columns_of(lambda n: {"image": stored(n), "query": "q?", "label": ["1"], "human_or_machine": origins[n % 2]})
    assert load_chartqa(write(tmp_path, columns, features), "train")["human_or_machine"] == [0, 1] * 3


def test_messages_stored_as_json_are_messages_and_an_answer_in_json_is_an_answer(tmp_path):
    def row_of(n):
        asked, table = [said("user", "q?")], json.dumps([{"item": "Milk", "price": n}])
        return {
            "image": stored(n),
            "prompt": json.dumps(asked),
            "chosen": table,
            "rejected": json.dumps([said("assistant", "no")]),
        }

    pairs = load_preferences(write(tmp_path, columns_of(row_of, 12)), "train")
    assert pairs[0]["prompt"] == [said("user", "q?")]
    assert pairs[0]["rejected"] == [said("assistant", "no")]
    assert json.loads(pairs[0]["chosen"][0]["content"])[0]["item"] == "Milk"


def test_two_instructions_are_no_pair_and_a_column_called_value_may_be_ones_own(tmp_path):
    def row_of(n):
        sides = {
            side: [said("system", f"be {side if n == 6 else 'short'}"), said("user", "q?"), said("assistant", side)]
            for side in ("chosen", "rejected")
        }
        return {"image": stored(n), **sides, "value": "high"}

    features = {"image": Image(), "chosen": ROLES, "rejected": ROLES, "value": Value("string")}
    write(tmp_path, columns_of(row_of, 12), features)
    rows = Dataset.from_parquet(str(tmp_path / "train.parquet"))
    for split in ("val", "test"):
        rows.select(range(2)).to_parquet(tmp_path / f"{split}.parquet")
    with pytest.raises(BadRowError, match="different system turns") as caught:
        load_preferences(tmp_path, "train")
    assert caught.value.row == 6
    assert "value" not in load_preferences(tmp_path, "train", on_error="skip").column_names


@pytest.mark.parametrize(
    ("name", "words"),
    [("questions.csv", "give the folder that it lies in"), ("rows.jsonl", "a JSONL file: give a parquet file")],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path, name, words):
    (tmp_path / name).write_text("image,question,answer\n")
    for load in (load_chartqa, load_preferences):
        with pytest.raises(ValueError, match=words):
            load(tmp_path / name, "train")
    with pytest.raises(FileNotFoundError, match="give the folder that it lies in"):
        find_csv(tmp_path / name)


def test_a_parquet_file_may_have_any_other_ending(tmp_path):
    write(tmp_path, columns_of(lambda n: {"image": stored(n), "query": "q?", "label": "1"}, 12))
    (tmp_path / "train.parquet").rename(tmp_path / "rows.parquet.gzip")
    assert len(load_chartqa(tmp_path / "rows.parquet.gzip", "train")) == 9
