"""What lessons 00 and 02 record: the contract's keys, and figures that agree with a count made in another way."""

import re

import nbformat
import pytest
from peft import LoraConfig
from torch import nn

from helpers.course import load_profile
from helpers.lora import count_parameters, text_layers
from helpers.models import count_image_tokens
from helpers.paths import NOTEBOOKS

SEVEN = r".*text_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


def test_lesson_00(recorded):
    figures = recorded("00_meet_the_model")
    assert {"image_tokens", "prompt_tokens", "trained_tokens"} <= set(figures)
    assert figures["image_tokens"] == count_image_tokens(512, 512, "embedded").image_tokens
    assert figures["prompt_tokens"] > count_image_tokens(512, 512, "embedded").total
    assert 2 <= figures["trained_tokens"] < 20  # an answer and the end of the turn


def test_lesson_02(recorded, model):
    figures = recorded("02_lora_parameters")
    assert {"trainable_parameters", "percent_trainable", "vision_lora_modules_naive", "vision_lora_modules_scoped"} <= set(
        figures
    )
    rank = load_profile("tiny")["LORA_RANK"]
    layers = [layer for name, layer in model.named_modules() if re.fullmatch(SEVEN, name) and isinstance(layer, nn.Linear)]
    by_hand = sum(rank * (layer.in_features + layer.out_features) for layer in layers)
    assert figures["trainable_parameters"] == by_hand
    assert figures["percent_trainable"] == pytest.approx(100 * by_hand / (by_hand + model.num_parameters()))
    attention = [name for name, _ in model.named_modules() if name.endswith(("q_proj", "v_proj")) and "vision_model" in name]
    assert figures["vision_lora_modules_naive"] == len(attention) > 0
    assert figures["vision_lora_modules_scoped"] == 0
    ranks = [key for key in figures if re.fullmatch(r"accuracy_rank_\d+", key)]
    assert len(ranks) >= 2
    assert all(0 <= figures[key] <= 1 for key in ranks)


def test_the_pattern_of_lesson_02_is_the_one_of_the_other_lessons():
    """What is counted there is what is trained here; lesson 05 starts from what lesson 04 has made."""
    for name in ("02_lora_parameters", "03_batch_size_memory", "04_sft_chartqa", "06_evaluation", "07_scaling_out"):
        code = "".join(cell.source for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells)
        assert "text_layers(MODEL)" in code, name
        assert not re.search(r'r"[^"]*down_proj', code), f"{name} has a pattern of its own"
    counted = count_parameters("embedded", LoraConfig(target_modules=text_layers("embedded")))
    assert counted.by_module == count_parameters("embedded", LoraConfig(target_modules=SEVEN)).by_module
    assert counted.by_component["vision"] == 0
