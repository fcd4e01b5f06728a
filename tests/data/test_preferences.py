"""Preference pairs: those that ship give nothing away by their words alone, and any public layout opens to the same form."""

import io
import json
import platform
import re
import sys
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Image, List, Value
from peft import LoraConfig
from PIL import Image as PILImage
from trl import DPOConfig, DPOTrainer

from helpers.data import SPLITS, load_preferences, sources
from helpers.models import FULL_SENTENCE, load_model
from helpers.paths import EMBEDDED_CHARTQA, EMBEDDED_PREFERENCES
from helpers.tiny import load_blocks
from helpers.tiny import pairs as made

TRL_COLUMNS = ["images", "prompt", "chosen", "rejected"]
TRUTH = ["entity", "value", "unit", "rejected_kind"]


@pytest.fixture(scope="module")
def pairs():
    """The texts; without the pictures, which ``load_preferences`` would all open."""
    columns = [*TRL_COLUMNS[1:], *TRUTH]
    files = {split: str(EMBEDDED_PREFERENCES / f"{split}.parquet") for split in SPLITS}
    return {split: Dataset.from_parquet(file, columns=columns).to_list() for split, file in files.items()}


def picture(mode="RGB", colour=0) -> bytes:
    buffer = io.BytesIO()
    PILImage.new(mode, (20, 16), colour).save(buffer, format="PNG")
    return buffer.getvalue()


def said(row, side):
    return row[side][0]["content"]


def cells_of(folder):
    return {split: {tuple(cell) for cell in shown} for split, shown in json.loads((folder / "cells.json").read_text()).items()}


def test_enough_pairs_in_a_small_file(pairs):
    for split, least in zip(SPLITS, (1000, 150, 300), strict=True):
        assert len(pairs[split]) >= least
    assert sum(path.stat().st_size for path in EMBEDDED_PREFERENCES.iterdir()) < 6_000_000


def test_form_and_instruction(pairs):
    row = load_preferences("embedded", "val", 1)[0]
    assert list(row) == TRL_COLUMNS + TRUTH
    assert [image.mode for image in row["images"]] == ["RGB"]
    for rows in pairs.values():
        for row in rows:
            assert [message["role"] for message in row["prompt"]] == ["system", "user"]
            assert row["prompt"][0]["content"] == FULL_SENTENCE
            assert row["entity"] in row["prompt"][1]["content"]


@pytest.mark.parametrize("split", SPLITS)
def test_mixture(pairs, split):
    rows = pairs[split]
    number = re.compile(r"(?<=[ ])\d+(?= )")
    only_the_number = [
        row["value"] is not None
        and row["rejected_kind"] == "hallucination"
        and number.sub("#", said(row, "chosen").replace(row["entity"], "@"))
        == number.sub("#", said(row, "rejected").replace(row["entity"], "@"))
        for row in rows
    ]
    assert np.mean(only_the_number) >= 0.62
    assert 0.03 <= np.mean([row["value"] is None for row in rows]) <= 0.15
    assert set(Counter(row["rejected_kind"] for row in rows)) == {"evasion", "hallucination", "fragment"}
    honest = {form.format(name=row["entity"]) for form in made.NOT_SHOWN for row in rows}
    chosen, rejected = (sum(said(row, side) in honest for row in rows) for side in ("chosen", "rejected"))
    assert chosen == rejected > 0


def test_the_embedded_model_knows_every_word(pairs, processor):
    for row in pairs["test"]:
        for text in (row["prompt"][1]["content"], said(row, "chosen"), said(row, "rejected")):
            tokens = processor.tokenizer.tokenize(" " + text)
            words = re.findall(r"\w+|[^\w\s]", text)
            assert len(tokens) == len(words), (text, tokens)


def test_no_figure_is_in_two_splits():
    """Nor in ChartQA-mini's validation or test questions; training pairs may show what training questions do."""
    cells = cells_of(EMBEDDED_PREFERENCES)
    assert set(cells) == set(SPLITS)
    for one, two in combinations(cells, 2):
        assert not cells[one] & cells[two], (one, two)
    questions = cells_of(EMBEDDED_CHARTQA)
    shown = set.union(*cells.values())
    assert not shown & (questions["val"] | questions["test"])
    assert not (cells["val"] | cells["test"]) & questions["train"]
    allowed = {(block.table.name, *cell) for block in load_blocks() if block.split == "train" for cell in block.cells}
    assert cells["train"] <= allowed


@pytest.mark.parametrize("split", ["val", *(pytest.param(name, marks=pytest.mark.slow) for name in ("train", "test"))])
def test_rebuilt_bit_for_bit(split):
    rows, cells = made.build_split(split)
    shipped = load_preferences("embedded", split).with_format(None).cast_column("images", List(Image(decode=False)))
    texts = [column for column in shipped.column_names if column != "images"]
    assert [{column: row[column] for column in texts} for row in rows] == shipped.select_columns(texts).to_list()
    if (sys.platform, platform.machine(), sys.version_info[:2]) == ("linux", "x86_64", (3, 11)):
        assert all(row["images"] == shipped[at]["images"] for at, row in enumerate(rows))
    assert cells == cells_of(EMBEDDED_PREFERENCES)[split]


def difference(chosen: str, rejected: str) -> dict[str, float]:
    """How often chosen has what rejected hasn't: words, pairs and triples of words, and length in tens of words."""
    counts = Counter()
    for sign, text in ((1, chosen), (-1, rejected)):
        words = ["^", *re.findall(r"\w+|[^\w\s]", text.lower()), "$"]
        for size in (1, 2, 3):
            for at in range(len(words) - size + 1):
                counts[" ".join(words[at : at + size])] += sign
        counts["length"] += sign * len(words) / 10
    return {name: count for name, count in counts.items() if count}


def text_only_accuracy(train, test):
    """Share of the test pairs in which logistic regression on chosen minus rejected, texts alone, finds the chosen."""
    differences = {"train": [difference(*pair) for pair in train], "test": [difference(*pair) for pair in test]}
    column = {name: at for at, name in enumerate(sorted({name for counts in differences["train"] for name in counts}))}

    def matrix(split):
        rows = torch.zeros(len(differences[split]), len(column))
        for row, counts in zip(rows, differences[split], strict=True):
            known = [name for name in counts if name in column]
            row[[column[name] for name in known]] = torch.tensor([float(counts[name]) for name in known])
        return rows

    weights = torch.zeros(len(column), requires_grad=True)
    seen, unseen = matrix("train"), matrix("test")
    optimizer = torch.optim.LBFGS([weights], max_iter=50, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        # A pair and its mirror image say the same, so there is no intercept.
        value = torch.nn.functional.softplus(-seen @ weights).sum() + 0.5 * weights.square().sum()  # scikit-learn's C = 1
        value.backward()
        return value

    optimizer.step(loss)
    margins = unseen @ weights.detach()
    return ((margins > 0).float() + 0.5 * (margins == 0).float()).mean().item()


def test_the_text_alone_does_not_tell_which_is_chosen(pairs):
    sides = {split: [(said(row, "chosen"), said(row, "rejected")) for row in rows] for split, rows in pairs.items()}
    accuracy = text_only_accuracy(sides["train"], sides["test"])
    print(f"text-only accuracy on test pairs: {accuracy:.3f}")
    assert accuracy <= 0.70


def test_the_text_only_baseline_can_learn(pairs):
    """With an evasion as every rejected answer, as naive collections have it, words are enough."""
    sides = {
        split: [
            (said(row, "chosen"), f"I cannot tell the value in {row['entity']} from this chart.")
            for row in rows
            if row["value"] is not None
        ]
        for split, rows in pairs.items()
    }
    assert text_only_accuracy(sides["train"], sides["test"]) > 0.9


# Sources other than the embedded one.

PARTS = List({"role": Value("string"), "content": List({"text": Value("string"), "type": Value("string")})})
FORMATTED = Features({"images": List(Image()), "prompt": PARTS, "chosen": PARTS, "rejected": PARTS})
RAW = Features({"image": Image(), **dict.fromkeys(("question", "chosen", "rejected", "ds_name"), Value("string"))})


def shade(i, mode="RGB"):
    image = picture(mode, (i, 0, 0) if mode == "RGB" else i)
    return {"bytes": image, "path": None}


def turn(role, text):
    return [{"role": role, "content": [{"text": text, "type": "text"}]}]


def formatted(i, **changed):
    """A row as in HuggingFaceH4/rlaif-v_formatted."""
    asked = [{"text": None, "type": "image"}, {"text": f"question {i}?", "type": "text"}]
    row = {
        "images": [shade(i)],
        "prompt": [{"role": "user", "content": asked}],
        "chosen": turn("assistant", f"good {i}"),
        "rejected": turn("assistant", f"bad {i}"),
    }
    return row | changed


def raw(i, **changed):
    """A row as in openbmb/RLAIF-V-Dataset, whose pictures are grey at times."""
    return {
        "image": shade(i, "L"), "question": f"question {i}?", "chosen": f"good {i}", "rejected": f"bad {i}", "ds_name": "x"
    } | changed  # fmt: skip


def write(path, rows, features):
    Dataset.from_list(rows, features=features).to_parquet(path)
    return path


@pytest.mark.parametrize(("make", "features"), [(formatted, FORMATTED), (raw, RAW)])
def test_both_public_layouts_come_out_alike(tmp_path, make, features):
    path = write(tmp_path / "mine.parquet", [make(i // 2) | {} for i in range(40)], features)
    parts = {split: load_preferences(path, split) for split in SPLITS}
    assert {split: len(part) for split, part in parts.items()} == {"train": 32, "val": 4, "test": 4}
    row = parts["train"][0]
    number = re.search(r"\d+", row["chosen"][0]["content"])[0]
    assert list(row) == TRL_COLUMNS
    assert row["prompt"] == [{"role": "user", "content": f"question {number}?"}]
    assert row["chosen"] == [{"role": "assistant", "content": f"good {number}"}]
    assert row["rejected"] == [{"role": "assistant", "content": f"bad {number}"}]
    (image,) = row["images"]
    assert image.mode == "RGB"
    assert image.getpixel((0, 0))[0] == int(number)
    pictures = {split: {row["images"][0].getpixel((0, 0)) for row in part} for split, part in parts.items()}
    assert not any(pictures[one] & pictures[two] for one, two in combinations(SPLITS, 2))


@pytest.mark.parametrize(
    ("make", "features", "changed", "words"),
    [
        (formatted, FORMATTED, {"rejected": turn("assistant", "good 6")}, "the same"),
        (formatted, FORMATTED, {"rejected": turn("assistant", "  ")}, "rejected answer is empty"),
        (formatted, FORMATTED, {"chosen": []}, "chosen answer is empty"),
        (formatted, FORMATTED, {"prompt": turn("user", "")}, "question is empty"),
        (formatted, FORMATTED, {"prompt": None}, "question is empty"),
        (formatted, FORMATTED, {"images": []}, "no image"),
        (formatted, FORMATTED, {"images": None}, "no image"),
        (formatted, FORMATTED, {"images": [shade(6), {"bytes": b"broken", "path": None}]}, "can't be opened"),
        (raw, RAW, {"rejected": " good 6 "}, "the same"),
        (raw, RAW, {"chosen": None}, "chosen answer is empty"),
        (raw, RAW, {"question": None}, "question is empty"),
        (raw, RAW, {"image": None}, "no image"),
        (raw, RAW, {"image": {"bytes": picture()[:-30], "path": None}}, "can't be opened"),
    ],
)
def test_a_bad_pair_is_named_or_skipped(tmp_path, named_or_skipped, make, features, changed, words):
    rows = [make(i, **(changed if i == 6 else {})) for i in range(12)]
    write(tmp_path / "train.parquet", rows, features)
    write(tmp_path / "val.parquet", rows[:2], features)
    write(tmp_path / "test.parquet", rows[:2], features)
    named_or_skipped(load_preferences, tmp_path, words)


def from_the_hub(monkeypatch, tmp_path, **splits):
    """What each split holds, for a hub repository with these splits (tests/hub/test_hub.py has a real stand-in of the hub)."""
    for split, rows in splits.items():
        write(tmp_path / f"{split}-00000-of-00001.parquet", rows, FORMATTED)
    monkeypatch.setattr(sources, "fetch", lambda source, kind, files: tmp_path)
    return {split: {row["chosen"][0]["content"] for row in load_preferences("owner/name@abc", split)} for split in SPLITS}


def test_a_missing_val_is_cut_out_of_train(monkeypatch, tmp_path):
    """rlaif-v_formatted has train and test."""
    rows = [formatted(i // 2) for i in range(40)]
    found = from_the_hub(monkeypatch, tmp_path, train=rows, test=[formatted(i) for i in range(100, 110)])
    assert {split: len(part) for split, part in found.items()} == {"train": 18, "val": 2, "test": 10}
    assert not found["train"] & found["val"]


def test_val_and_test_are_cut_out_of_a_lone_train(monkeypatch, tmp_path):
    found = from_the_hub(monkeypatch, tmp_path, train=[formatted(i) for i in range(40)])
    assert {split: len(part) for split, part in found.items()} == {"train": 32, "val": 4, "test": 4}
    assert len(set.union(*found.values())) == 40


def test_all_three_splits_stay_as_they_are(monkeypatch, tmp_path):
    found = from_the_hub(monkeypatch, tmp_path, train=[formatted(1)], validation=[formatted(2)], test=[formatted(3)])
    assert found == {"train": {"good 1"}, "val": {"good 2"}, "test": {"good 3"}}


def test_what_cannot_be_opened_says_what_is_possible(tmp_path):
    with pytest.raises(ValueError, match="train, val, test"):
        load_preferences("embedded", "validation")
    with pytest.raises(ValueError, match="on_error"):
        load_preferences("embedded", "val", on_error="ignore")
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_preferences("nowhere.parquet", "train")
    with pytest.raises(FileNotFoundError, match="'train' in its name"):
        load_preferences(tmp_path, "train")
    features = Features({"image": Image(), "question": Value("string")})
    path = write(tmp_path / "x.parquet", [{"image": shade(1), "question": "?"}], features)
    with pytest.raises(ValueError, match=r"needs the columns .* chosen, rejected. It has"):
        load_preferences(path, "train")


def test_real_pairs_train_two_dpo_steps(shared, processor, tmp_path):
    path = shared / "data" / "preference_real.parquet"
    parts = [load_preferences(path, split) for split in SPLITS]
    assert [len(part) for part in parts] == [7, 1, 2]
    trainer = DPOTrainer(
        model=load_model("embedded"),
        args=DPOConfig(
            output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=2, learning_rate=1e-3, logging_steps=1,
            use_cpu=True, bf16=False, activation_checkpointing=False, save_strategy="no", report_to="none", max_length=None,
        ),
        processing_class=processor,
        train_dataset=parts[0],
        peft_config=LoraConfig(r=4, target_modules=r".*text_model.*\.(q_proj|v_proj)", task_type="CAUSAL_LM"),
    )  # fmt: skip
    trainer.train()
    log = [row for row in trainer.state.log_history if "loss" in row]
    norms = [row["grad_norm"] for row in log]
    assert np.isfinite(norms).all()
    assert min(norms) > 0
    assert norms[0] != norms[1]
    assert log[0]["loss"] == pytest.approx(np.log(2), abs=1e-4)  # before the first step the model is its own reference
    assert log[1]["loss"] != log[0]["loss"]
