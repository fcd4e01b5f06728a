"""The peak of a block is seen, and what came before it is not; the bytes of weights are those that really get allocated."""

import json
import mmap
import time

import bitsandbytes
import pytest
import torch
from peft import LoraConfig
from transformers import AutoModelForImageTextToText, SmolVLMConfig, SmolVLMForConditionalGeneration

from helpers.lora import count_parameters
from helpers.memory import FLOATS, PRECISIONS, QUANTIZED, measure_peak_memory, weight_bytes
from helpers.models import component_of, load_config, meta_model

SIZE = 200_000_000
NUMBERS = 1_000_000  # of float32: 4 MB


def test_peak_of_resident_memory_sees_a_short_allocation():
    with measure_peak_memory(tensors=False) as idle:
        pass
    with measure_peak_memory(tensors=False) as memory, mmap.mmap(-1, SIZE) as block:  # new pages, not memory freed before
        block.write(b"x" * SIZE)
        time.sleep(0.1)
    assert SIZE <= memory.peak_bytes - idle.peak_bytes < 2.5 * SIZE
    assert memory.peak_bytes == memory.process_bytes
    assert memory.what == "resident memory of the process"


def peak_in_tensors(work):
    """The peak while ``work`` runs, above what was alive before, in tensors of ``NUMBERS``."""
    with measure_peak_memory() as before:
        pass
    with measure_peak_memory() as memory:
        work()
    assert memory.what == "tensors alive"
    assert memory.process_bytes > memory.peak_bytes
    return round((memory.peak_bytes - before.peak_bytes) / (4 * NUMBERS), 2)


def test_peak_of_living_tensors():
    def one_after_the_other():
        for _ in range(3):
            torch.ones(NUMBERS)

    def together():
        return [torch.ones(NUMBERS) for _ in range(3)]

    def views():
        whole = torch.ones(NUMBERS)
        return [whole.view(10, -1), whole[5:], whole.detach()]

    assert peak_in_tensors(one_after_the_other) == 1
    assert peak_in_tensors(together) == 3
    assert peak_in_tensors(views) == 1


def test_tensors_saved_for_the_backward_pass_are_seen():
    weight = torch.ones(NUMBERS, requires_grad=True)

    def forward():
        x = weight
        for _ in range(4):
            x = x.exp()  # each result is saved: exp is its own derivative
        return x.sum()

    def forward_only():
        with torch.no_grad():
            forward()

    assert peak_in_tensors(forward) == 4
    assert peak_in_tensors(forward_only) == 2


def test_sparse_gradients_are_no_error_and_their_parts_are_seen():
    embedding = torch.nn.Embedding(4, NUMBERS // 4, sparse=True)

    def step():
        embedding(torch.arange(4)).sum().backward()

    assert peak_in_tensors(step) >= 1
    assert embedding.weight.grad.is_sparse
    with measure_peak_memory():
        assert torch.eye(3).to_sparse().is_sparse


def test_what_was_there_before_the_block_is_counted():
    held = torch.ones(NUMBERS)
    with measure_peak_memory() as memory:
        pass
    assert memory.peak_bytes >= held.nbytes


def test_an_unknown_device_says_what_is_possible():
    with pytest.raises(ValueError, match="cpu, cuda and mps"), measure_peak_memory("tpu"):
        pass


def allocated(model):
    """Bytes really held by the parameters and what quantization keeps beside them, by component."""
    sizes, seen = {}, set()
    for name, parameter in model.named_parameters():
        tensors = [parameter.data, getattr(parameter, "SCB", None)]
        if (state := getattr(parameter, "quant_state", None)) is not None:
            tensors += [state.absmax, state.code]
            tensors += [state.offset, state.state2.absmax, state.state2.code] if state.nested else []
        for tensor in tensors:
            if tensor is not None and tensor.data_ptr() not in seen:
                seen.add(tensor.data_ptr())
                sizes[component_of(name)] = sizes.get(component_of(name), 0) + tensor.untyped_storage().nbytes()
    return sizes


@pytest.fixture(scope="module")
def odd_model(tmp_path_factory):
    """An untied SmolVLM with widths that fill no block of 64 evenly."""
    config = SmolVLMConfig(
        vision_config={"hidden_size": 36, "intermediate_size": 50, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "image_size": 32, "patch_size": 8},
        text_config={"model_type": "llama", "vocab_size": 101, "hidden_size": 44, "intermediate_size": 70,
                     "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 22,
                     "tie_word_embeddings": False},
        scale_factor=2, image_token_id=3, pad_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("odd")
    SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("rest", ["float32", "bfloat16"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("which", ["embedded", "odd"])
def test_weight_bytes_are_those_really_allocated(which, precision, rest, odd_model):
    folder = str(load_folder() if which == "embedded" else odd_model)
    dtype = getattr(torch, precision if precision in FLOATS else rest)
    model = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=dtype, quantization_config=QUANTIZED.get(precision), device_map={"": "cpu"}
    )
    found = weight_bytes(folder, precision, rest=rest)
    really = allocated(model)
    assert {name: size for name, size in found.by_component.items() if size} == really
    assert found.total == found.weights == sum(really.values())


def load_folder():
    from helpers.paths import EMBEDDED_MODEL

    return EMBEDDED_MODEL


@pytest.mark.parametrize(("double", "bits"), [(False, 4.5), (True, 4.127)])
def test_bits_a_weight_of_a_real_layer(double, bits):
    layer = bitsandbytes.nn.Linear4bit(2048, 2048, bias=False, quant_type="nf4", compress_statistics=double).to("cpu")
    state = layer.weight.quant_state
    scales = state.absmax.nbytes + (state.state2.absmax.nbytes if double else 0)
    derived = 4 + 8 / 64 + 32 / (64 * 256) if double else 4 + 32 / 64
    assert 8 * (layer.weight.nbytes + scales) / 2048**2 == derived
    assert round(derived, 3) == bits


def published(shared):
    entries = json.loads((shared / "published" / "memory.json").read_text())["entries"]
    return {entry["id"]: entry["published"] for entry in entries}


@pytest.mark.parametrize(
    ("entry", "name", "precision", "unit"),
    [
        ("ckpt_smolvlm_instruct", "SmolVLM-Instruct", "bfloat16", 1e9),
        ("ckpt_smolvlm2_22b_fp32", "SmolVLM2-2.2B-Instruct", "float32", 1e9),
        ("ckpt_qwen2vl7b_bf16", "Qwen2-VL-7B-Instruct", "bfloat16", 1e9),
        ("load_smolvlm2_22b_fp16_t4", "SmolVLM2-2.2B-Instruct", "float16", 2**30),
    ],
)
def test_published_checkpoint_sizes(shared, entry, name, precision, unit):
    assert weight_bytes(name, precision).total / unit == pytest.approx(published(shared)[entry], rel=0.005)


def test_published_adapter_size(shared):
    count = count_parameters("Qwen2-VL-7B-Instruct", LoraConfig(r=8, target_modules=["q_proj", "v_proj"]))
    assert 4 * count.trainable / 1e6 == pytest.approx(published(shared)["adapter_qwen2vl7b_qv_r8"], rel=0.005)


def test_published_full_fine_tuning_table(shared):
    """Weights, gradients and AdamW's two moments in float32: 32, 32 and 64 GB for what the table takes as 8e9 parameters."""
    table = published(shared)["dpo_vlm_table_fp32"]
    assert (table["grads"], table["optim"]) == (table["model"], 2 * table["model"])
    count = sum(parameter.numel() for parameter in meta_model(load_config("SmolVLM-Instruct")).parameters())
    assert weight_bytes("SmolVLM-Instruct", "float32").total == 4 * count


def test_an_unknown_precision_says_what_is_possible():
    with pytest.raises(ValueError, match="float32, bfloat16, float16, int8, nf4, nf4-double-quant"):
        weight_bytes("embedded", "int3")
    with pytest.raises(ValueError, match="float32, bfloat16, float16"):
        weight_bytes("embedded", "nf4", rest="int8")


def test_the_config_that_is_given_stays_as_it_is():
    config = load_config("embedded")
    before = config.to_dict()
    weight_bytes(config, "nf4")
    assert config.to_dict() == before
