"""What the lessons do with a model, done with a tiny one of each family."""

import json

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import LlamaConfig
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from helpers.data import load_chartqa
from helpers.evaluation import generate_answers, occlusion, occlusion_map
from helpers.lora import text_layers
from helpers.models import SHORT_ANSWER, chat, component_of, load_model, load_processor, vision_tower

WRITE_THEMSELVES = {"gemma3", "llava", "idefics3", "pixtral"}  # tokenizers that add a first token to what the template wrote


def prompt_of(processor, row: dict) -> str:
    return processor.apply_chat_template(chat(row["query"], SHORT_ANSWER), add_generation_prompt=True)


def test_lora_goes_into_every_text_layer_and_nowhere_else(opened):
    folder, model, _ = opened
    inside = {name for name, module in model.get_decoder().named_modules() if isinstance(module, nn.Linear)}
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=text_layers(folder), task_type="CAUSAL_LM"))
    adapted = {name.split(".lora_A")[0] for name, _ in wrapped.named_parameters() if "lora_A" in name}
    assert len(adapted) == len(inside) > 0
    assert {component_of(name) for name in adapted} == {"text"}
    assert not any("lora" in name for name, _ in vision_tower(wrapped).named_parameters())


def test_frozen_eyes_without_a_gradient_change_no_gradient_of_the_adapters(opened):
    folder, model, processor = opened
    row = load_chartqa("embedded", "train", 1)[0]
    example = {"image": row["image"], "prompt": [{"role": "user", "content": row["query"]}]}
    example["completion"] = [{"role": "assistant", "content": row["label"][0]}]
    batch = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)([example])
    lora = LoraConfig(r=2, target_modules=text_layers(folder), task_type="CAUSAL_LM", init_lora_weights=False)
    wrapped = get_peft_model(model, lora).train()
    wrapped.activation_checkpointing_enable()
    gradients = []
    for spared in (False, True):
        if spared:
            eyes = vision_tower(wrapped)
            eyes.forward = torch.no_grad()(eyes.forward)
        wrapped.zero_grad()
        wrapped(**batch, use_cache=False).loss.backward()
        gradients.append([p.grad.clone() for p in wrapped.parameters() if p.requires_grad])
    assert any(gradient.abs().max() > 0 for gradient in gradients[0])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_the_image_tokens_are_as_many_as_the_features(opened):
    _, model, processor = opened
    row = load_chartqa("embedded", "train", 1)[0]
    inputs = processor(text=[prompt_of(processor, row)], images=[[row["image"]]], return_tensors="pt", add_special_tokens=False)
    counted = int((inputs["input_ids"] == model.config.image_token_id).sum())
    taken = []
    inside = model.model
    asked = inside.get_image_features

    def get_image_features(*args, **options):
        found = asked(*args, **options)
        features = getattr(found, "pooler_output", found)
        parts = features if isinstance(features, list | tuple) else [features]
        taken.append(sum(part.numel() // part.shape[-1] for part in parts))
        return found

    inside.get_image_features = get_image_features
    with torch.inference_mode():
        model(**inputs)
    assert taken == [counted]
    assert counted > 1


def test_there_is_one_first_token(opened, family):
    _, _, processor = opened
    row = load_chartqa("embedded", "train", 1)[0]
    first = processor.tokenizer.bos_token_id
    if first is None:
        pytest.skip(f"{family}'s tokenizer has no first token")
    asked = {"text": [prompt_of(processor, row)], "images": [[row["image"]]]}
    once, unasked = (processor(**asked, **more)["input_ids"][0] for more in ({"add_special_tokens": False}, {}))
    assert list(once[:2]).count(first) == 1
    assert list(unasked[:2]).count(first) == (2 if family in WRITE_THEMSELVES else 1)


def test_answers_in_batches_are_those_one_by_one(opened):
    _, model, processor = opened
    rows = load_chartqa("embedded", "test", 6)
    rows = [{**row, "image": row["image"].resize((120 + 40 * at, 100))} for at, row in enumerate(rows)]
    together = generate_answers(model, processor, rows, batch_size=6, max_new_tokens=6)
    assert together == generate_answers(model, processor, rows, batch_size=1, max_new_tokens=6)
    assert any(together)


def test_occlusion_scores_the_answer_as_the_template_writes_it(opened):
    _, model, processor = opened
    row = load_chartqa("embedded", "test", 1)[0]
    drops = occlusion_map(model, processor, row["image"], row["query"], "4.5%", cells=2)
    assert np.isfinite(drops).all()
    assert np.abs(drops).max() > 0
    text, length = occlusion._answered(processor, row["query"], "4.5%")
    ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert processor.tokenizer.decode(ids[-length:]).strip() == "4.5%"


@pytest.mark.parametrize(
    ("family", "reason"),
    [("without_template", "has no chat template"), ("pixtral_released", "takes no lists of parts")],
)
def test_a_template_that_does_not_serve_is_refused_before_weights_are_read(family, reason, family_folder):
    folder = family_folder(family)
    for load in (load_processor, load_model):
        with pytest.raises(ValueError, match=rf"{reason}.*: take one .* such as HuggingFaceTB/SmolVLM2") as error:
            load(folder)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (LlamaConfig(hidden_size=8, num_attention_heads=2, num_hidden_layers=1).to_dict(), r"\(llama\) takes no pictures"),
        ({"model_type": "phi4_multimodal"}, "is no AutoModelForImageTextToText"),
        ({"model_type": "brand_new", "auto_map": {"AutoConfig": "x.Y"}}, "needs code of its own"),
    ],
)
def test_other_kinds_of_models_are_refused_by_their_config(config, reason, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))  # and no weights: they aren't asked for
    for load in (load_processor, load_model):
        with pytest.raises(ValueError, match=rf"{reason}.*: take one"):
            load(str(tmp_path))
