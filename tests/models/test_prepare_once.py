"""A processor that makes each picture of a batch ready once, for any family: same batches, less work, nothing else saved."""

import pickle
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import pad
from transformers import BatchFeature

from helpers.data import load_chartqa, open_picture
from helpers.models import chat, load_processor, prepare_once
from tests.models.families import FAMILIES
from tests.models.processors import llava_next


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


def batch(processor, pictures, **how):
    text = [
        processor.apply_chat_template(chat(f"Question {n}?", None), add_generation_prompt=True) for n in range(len(pictures))
    ]
    return processor(
        text=text,
        images=[[picture.copy()] for picture in pictures],
        padding=True,
        add_special_tokens=False,
        **(how or {"return_tensors": "pt"}),
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
    padded = [3, 1, 1]  # of a batch as a whole, after the first try showed that its pictures have to be padded to each other
    assert calls in ([1, 1, 1], [1, 1, 1, *padded])


@pytest.mark.parametrize("name", ["llava_next", "llava_onevision", "smolvlm", "qwen2_vl"])
def test_lists_are_the_same_too(name, family_folder, pictures):
    """As GRPO asks when it samples; some processors then give a list of tensors, padded to the largest of the batch."""
    processor = llava_next() if name == "llava_next" else load_processor(family_folder(name))
    once = prepare_once(processor)
    one, two, wide = pictures
    for each in ([one, two, one], [one, wide, two], [two, two]):
        wanted, made = (batch(by, each, return_tensors=None) for by in (processor, once))
        assert made.keys() == wanted.keys()
        for name, value in wanted.items():
            assert same(made[name], value), name


def same(one, other) -> bool:
    """Of whatever tensors, arrays and lists they consist."""
    if hasattr(other, "shape"):
        return one.shape == other.shape and bool((one == other).all())
    return len(one) == len(other) and all(map(same, one, other)) if isinstance(other, list | tuple) else one == other


def test_the_oldest_pictures_go_when_the_room_is_full(pictures, monkeypatch):
    processor = load_processor("embedded")
    calls = counted(processor, monkeypatch)
    one, two, _ = pictures
    size = sum(
        value.nbytes for value in processor.image_processor([[one]], return_tensors="pt").values() if torch.is_tensor(value)
    )
    once = prepare_once(processor).image_processor
    once.room = 1.5 * size
    calls.clear()
    for picture in (one, one, two, two, one):
        made = once([[picture]], return_tensors="pt")
        assert torch.equal(made["pixel_values"], processor.image_processor([[picture]], return_tensors="pt")["pixel_values"])
    assert len(calls) - 5 == 3  # five of the comparison; one, two, and one again
    assert once.held == size


def test_a_process_that_loads_data_gets_it_with_an_empty_memory(processor, pictures):
    once = prepare_once(processor)
    wanted = batch(once, pictures)
    made = batch(pickle.loads(pickle.dumps(once)), pictures)
    assert all(torch.equal(made[name], value) for name, value in wanted.items() if torch.is_tensor(value))
    assert len(pickle.dumps(once)) == len(pickle.dumps(prepare_once(processor)))


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
    """Crops of all pictures in a row, padded to the widest, and nothing that says how many each has."""

    def crops(images):
        sizes = [image.width // 10 for image in images]
        return BatchFeature(
            {"pixel_values": torch.cat([pad(torch.ones(size, size), (0, max(sizes) - size)) for size in sizes])}
        )

    one, _, wide = pictures
    once = prepare_once(SimpleNamespace(image_processor=crops)).image_processor
    assert torch.equal(once([one, one, wide])["pixel_values"], crops([one, one, wide])["pixel_values"])
