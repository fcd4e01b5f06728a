"""Lesson 08 keeps what the vision tower made of each picture, for any family: exact, once, and not without end."""

import inspect
from functools import wraps
from hashlib import blake2b

import pytest
import torch
from peft import LoraConfig, get_peft_model
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from helpers.data import load_chartqa, open_picture
from helpers.evaluation import generate_answers
from helpers.lora import text_layers
from helpers.models import SHORT_ANSWER, load_model, load_processor
from tests.models.families import FAMILIES
from tests.notebooks.test_lesson_08 import defined_in_the_lesson


def pictures_once():
    names = {"torch": torch, "inspect": inspect, "wraps": wraps, "blake2b": blake2b}
    return defined_in_the_lesson(names, "bytes_of", "size_of", "as_one", "together", "look_once")


@pytest.fixture(params=["embedded", *(make.__name__ for make in FAMILIES)])
def a_model(request, family_folder):
    name = request.param if request.param == "embedded" else family_folder(request.param)
    lora = LoraConfig(r=2, target_modules=text_layers(name), init_lora_weights=False, task_type="CAUSAL_LM")
    return get_peft_model(load_model(name), lora).eval(), load_processor(name)


def test_looking_once_changes_nothing_but_the_work(a_model):
    model, processor = a_model
    rows = load_chartqa("embedded", "train", 3)
    examples = [
        {
            "image": open_picture(row["image"]), "prompt": [{"role": "user", "content": row["query"]}],
            "completion": [{"role": "assistant", "content": row["label"][0]}],
        }
        for row in rows
    ]  # fmt: skip
    collate = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    batches = [collate([dict(examples[at]) for at in order]) for order in ((0, 0, 1, 1), (1, 2, 0, 2))]

    def ask():
        return [model(**batch).logits for batch in batches]

    before, answers = ask(), generate_answers(model, processor, rows, system=SHORT_ANSWER, max_new_tokens=4)
    looked_at, inside = [], model.get_base_model().model
    encode = inside.get_image_features
    inside.get_image_features = wraps(encode)(lambda *given, **named: looked_at.append(1) or encode(*given, **named))
    seen = pictures_once()(model)
    after = ask()
    assert len(looked_at) == len(seen) == 3
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    assert after[0].requires_grad
    assert generate_answers(model, processor, rows, system=SHORT_ANSWER, max_new_tokens=4) == answers


def test_what_is_kept_of_the_pictures_has_an_end(a_model):
    model, processor = a_model
    seen = pictures_once()(model, room=1)
    generate_answers(model, processor, load_chartqa("embedded", "train", 3), max_new_tokens=1)
    assert len(seen) == 1
