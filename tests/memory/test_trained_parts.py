"""What is trained beside the weights, as PEFT and the optimizers really have it; and the peaks that a GPU measured."""

import copy
import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForImageTextToText
from transformers.optimization import Adafactor

from helpers.lora import count_parameters, text_layers
from helpers.memory import QUANTIZED, estimate_training_memory
from helpers.models import load_model
from helpers.paths import EMBEDDED_MODEL

SAVED = {
    "head": {"modules_to_save": ["lm_head"]},
    "embeddings": {"modules_to_save": ["embed_tokens"]},
    "both": {"modules_to_save": ["lm_head", "embed_tokens"]},
    "tied": {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
    "connector": {"modules_to_save": ["connector"]},
    "tokens": {"trainable_token_indices": {"embed_tokens": [1, 2, 3]}},
    "adapted embeddings": {"target_modules": ["embed_tokens", "q_proj"]},
}


def lora(**settings):
    return LoraConfig(**{"r": 8, "target_modules": text_layers("embedded")} | settings)


@pytest.mark.parametrize("which", SAVED)
def test_a_count_is_that_of_a_loaded_model(which):
    wrapped = get_peft_model(load_model("embedded"), lora(**SAVED[which]))
    counted = count_parameters("embedded", lora(**SAVED[which]))
    assert (counted.trainable, counted.total) == wrapped.get_nb_trainable_parameters()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "nf4"])
@pytest.mark.parametrize("which", SAVED)
def test_what_is_trained_has_the_type_that_peft_gives_it(which, precision):
    dtype = torch.bfloat16 if precision in QUANTIZED else getattr(torch, precision)
    quantized = {"quantization_config": QUANTIZED.get(precision), "device_map": {"": "cpu"}}
    model = AutoModelForImageTextToText.from_pretrained(EMBEDDED_MODEL, dtype=dtype, **quantized)
    if which == "connector" and precision in QUANTIZED:
        with pytest.raises(RuntimeError, match="floating point"):
            get_peft_model(model, lora(**SAVED[which]))
        with pytest.raises(ValueError, match="leave it out of modules_to_save"):
            estimate_training_memory("embedded", lora=lora(**SAVED[which]), precision=precision)
        return
    own = {parameter.data_ptr() for parameter in model.parameters()}
    wrapped = get_peft_model(model, lora(**SAVED[which]))
    added = {p.data_ptr(): p.nbytes for p in wrapped.parameters() if p.data_ptr() not in own}
    assert estimate_training_memory("embedded", lora=lora(**SAVED[which]), precision=precision).adapters == sum(added.values())


def state_bytes(optimizer):
    return sum(v.nbytes for state in optimizer.state.values() for v in state.values() if isinstance(v, torch.Tensor))


def test_adafactor_holds_what_the_trainers_does():
    wrapped = get_peft_model(load_model("embedded"), lora())
    trained = [parameter for parameter in wrapped.parameters() if parameter.requires_grad]
    optimizer = Adafactor(trained, lr=1e-4, scale_parameter=False, relative_step=False)
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    estimate = estimate_training_memory("embedded", lora=lora(), precision="float32", optimizer="adafactor")
    assert estimate.optimizer == state_bytes(optimizer)


@pytest.mark.parametrize("name", ["adamw_bnb_8bit", "adamw_8bit"])
def test_eight_bit_adamw_by_hand(name):
    """bitsandbytes has no such step on a CPU: two bytes a number, two scales for each 256; small tensors and embeddings in 32
    bits; and two tables of 256 levels for all."""
    expected = 2 * 256 * 4
    for where, parameter in load_model("embedded").named_parameters():
        n = parameter.numel()
        wide = n < 4096 or "embed_tokens" in where or "position_embedding" in where
        expected += 8 * n if wide else 2 * n + 2 * 4 * -(-n // 256)
    assert estimate_training_memory("embedded", precision="float32", optimizer=name).optimizer == expected


def test_another_optimizer_is_refused_by_name():
    with pytest.raises(ValueError, match="'lion_8bit'; it is one of adamw, sgd, adafactor, adamw_bnb_8bit"):
        estimate_training_memory("embedded", optimizer="lion_8bit")


def test_a_layer_whose_output_is_not_used_has_no_state():
    model = load_model("embedded")
    full = estimate_training_memory("embedded", precision="float32", frozen_vision=True)
    tower = sum(parameter.nbytes for parameter in model.model.vision_model.parameters())
    trained = sum(parameter.nbytes for parameter in model.parameters()) - tower
    assert full.optimizer == pytest.approx(2 * trained, rel=1e-3)


def test_the_peaks_that_a_gpu_measured(shared):
    targets = r".*text_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
    for row in json.loads((shared / "published" / "gpu_h200.json").read_text())["steps"]:
        estimate = estimate_training_memory(
            "SmolVLM2-2.2B-Instruct",
            lora=LoraConfig(r=8, target_modules=targets) if row["lora"] else None,
            precision={"none": row["precision"], "8bit": "int8", "4bit": "nf4-double-quant"}[row["quant"]],
            batch_size=row["batch"], image_tiles=row["tiles"], text_tokens=row["tokens"] - row["image_tokens"],
            activation_checkpointing=row["checkpointing"], frozen_vision=row["eyes_no_grad"],
        )  # fmt: skip
        error = estimate.total / 1e9 / row["measured_gb"] - 1
        print(
            f"{row['name']:28} batch {row['batch']}: {row['measured_gb']} GB, dry run {estimate.total / 1e9:.4f}: {error:+.2%}"
        )
        assert abs(error) < 0.01, row["name"]


def test_the_config_of_lora_stays_as_it_is():
    config = lora(modules_to_save=["lm_head"])
    before = copy.deepcopy(config.to_dict())
    estimate_training_memory("embedded", lora=config, precision="nf4")
    assert config.to_dict() == before
