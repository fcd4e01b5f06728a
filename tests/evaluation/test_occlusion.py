"""Covering squares: what doesn't change the picture changes nothing, and each square's figure is its own."""

import numpy as np
import pytest
from peft import LoraConfig, get_peft_model
from PIL import Image

from helpers.data import load_chartqa
from helpers.evaluation import occlusion, occlusion_map
from helpers.lora import text_layers
from helpers.models import load_model
from helpers.plots import plot_occlusion, plot_tiles


def test_covering_an_empty_page_changes_nothing(model, processor):
    page = Image.new("RGB", (512, 384), "white")
    drops = occlusion_map(model, processor, page, "Spain?", "41", cells=4, batch_size=5)
    assert drops.shape == (4, 4)
    assert np.abs(drops).max() < 1e-4


def test_each_square_is_measured_in_its_place(model, processor):
    image = load_chartqa("embedded", "test", 1)[0]["image"]
    drops = occlusion_map(model, processor, image, "Spain?", "41", cells=4)
    row, column = np.unravel_index(np.abs(drops).argmax(), drops.shape)
    covered = image.copy()
    width, height = image.width // 4, image.height // 4
    covered.paste("white", (column * width, row * height, (column + 1) * width, (row + 1) * height))
    whole, without = occlusion._log_likelihoods(model, processor, [image, covered], "Spain?", "41")
    assert abs(drops[row, column]) > 0.01
    assert drops[row, column] == pytest.approx(whole - without, abs=1e-3)


def test_a_model_in_training_is_asked_without_its_dropout(processor):
    lora = LoraConfig(
        r=4, lora_dropout=0.5, target_modules=text_layers("embedded"), init_lora_weights=False, task_type="CAUSAL_LM"
    )
    tuned = get_peft_model(load_model("embedded"), lora)
    image = load_chartqa("embedded", "test", 1)[0]["image"]
    wanted = occlusion_map(tuned.eval(), processor, image, "Spain?", "41", cells=2)
    assert not tuned.training
    assert occlusion_map(tuned.train(), processor, image, "Spain?", "41", cells=2) == pytest.approx(wanted)
    assert tuned.training


def test_likelihoods_are_those_of_the_answer_alone(model, processor):
    """They sum to one over the words that could come first: the probability of a one-token answer, and of nothing else."""
    image = load_chartqa("embedded", "test", 1)[0]["image"]
    words = [str(number) for number in range(101)]
    scores = [occlusion._log_likelihoods(model, processor, [image], "Spain?", word)[0] for word in words]
    total = np.exp(scores).sum()
    assert 0 < total <= 1.0001


def test_an_empty_answer_is_refused(model, processor):
    with pytest.raises(ValueError, match="at least one word"):
        occlusion_map(model, processor, Image.new("RGB", (64, 64)), "Spain?", "")


def test_the_drawings_take_any_shape():
    wide = Image.new("RGB", (300, 40), "white")
    assert plot_tiles(wide, 1, 4, "wide").axes
    assert plot_tiles(wide, 0, 0, "not split").axes
    row = {"image": wide, "text": "a\nb", "drops": np.zeros((8, 8))}
    assert len(plot_occlusion([row, row]).axes) == 2
