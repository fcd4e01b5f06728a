"""A processor that makes each picture of a batch ready once, for any family: same batches, less work, nothing else saved."""

from types import SimpleNamespace

import pytest
import torch
from transformers import BatchFeature

from helpers.data import load_chartqa, open_picture
from helpers.models import chat, load_processor, prepare_once
from tests.models.families import FAMILIES


@pytest.fixture(params=["embedded", *(make.__name__ for make in FAMILIES)])
def processor(request, family_folder):
    return load_processor(request.param if request.param == "embedded" else family_folder(request.param))


@pytest.fixture(scope="module")
def pictures():
    rows = load_chartqa("embedded", "train", 8)
    found = {}
    for row in rows:
        found.setdefault(row["image"].tobytes(), open_picture(row["image"]))
    wide = next(iter(found.values())).resize((300, 90))  # another number of tiles or patches
    return [*list(found.values())[:2], wide]


def batch(processor, pictures):
    text = [
        processor.apply_chat_template(chat(f"Question {n}?", None), add_generation_prompt=True) for n in range(len(pictures))
    ]
    return processor(
        text=text,
        images=[[picture.copy()] for picture in pictures],
        padding=True,
        return_tensors="pt",
        add_special_tokens=False,
    )


def counted(processor, monkeypatch):
    """How many pictures the image processor of ``processor`` was given, call by call."""
    calls, kind = [], type(processor.image_processor)
    work = kind.__call__
    monkeypatch.setattr(
        kind, "__call__", lambda self, images, *a, **k: calls.append(len(images)) or work(self, images, *a, **k)
    )
    return calls


def test_batches_are_the_same_and_each_picture_is_made_ready_once(processor, pictures, monkeypatch):
    one, two, wide = pictures
    batches = ([one, one, two, wide, two, one], [two, two], [wide])
    wanted = [batch(processor, each) for each in batches]
    calls, once = counted(processor, monkeypatch), prepare_once(processor)
    for each, want in zip(batches, wanted, strict=True):
        for _ in range(2):  # for the sampling, and for the loss
            made = batch(once, each)
            assert made.keys() == want.keys()
            for name, value in want.items():
                assert torch.equal(made[name], value) if torch.is_tensor(value) else made[name] == value, name
    assert calls == [3, 1, 1]


def test_what_it_was_made_from_is_what_is_saved(processor, pictures, tmp_path):
    once = prepare_once(processor)
    batch(once, pictures)
    once.save_pretrained(tmp_path / "once")
    processor.save_pretrained(tmp_path / "itself")
    files = sorted(path.name for path in (tmp_path / "itself").iterdir())
    assert sorted(path.name for path in (tmp_path / "once").iterdir()) == files
    for name in files:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "itself" / name).read_bytes(), name


def test_several_pictures_in_a_question_are_left_to_the_processor(pictures):
    processor = load_processor("embedded")
    once = prepare_once(processor)
    text = ["<image><image>what changed?"] * 2
    given = {"text": text, "images": [pictures[:2], pictures[:2]], "return_tensors": "pt"}
    wanted, made = processor(**given), once(**given)
    assert all(torch.equal(made[name], value) for name, value in wanted.items())


def test_what_cannot_be_told_apart_is_left_to_the_processor(pictures):
    """Crops of all pictures in a row, and nothing that says how many each has."""

    def crops(images):
        return BatchFeature({"pixel_values": torch.cat([torch.full((1 + at, 2), float(at)) for at in range(len(images))])})

    one, two, _ = pictures
    once = prepare_once(SimpleNamespace(image_processor=crops)).image_processor
    assert torch.equal(once([one, one, two])["pixel_values"], crops([one, one, two])["pixel_values"])
