"""Load a model and its processor: the embedded one, one from a folder, or one from the hub at a pinned revision."""

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig

from helpers.paths import EMBEDDED_MODEL, resolve

QUANTIZATIONS = ("none", "8bit", "4bit")


def locate(name: str) -> tuple[str, str | None]:
    """``"embedded"``, a folder, or ``owner/name@revision`` -> what ``from_pretrained`` takes: (name or path, revision)."""
    if name == "embedded":
        return str(EMBEDDED_MODEL), None
    if resolve(name).is_dir():
        return str(resolve(name)), None
    name, _, revision = name.partition("@")
    return name, revision or None


def quantization_config(quantization: str, compute: torch.dtype) -> BitsAndBytesConfig | None:
    """bitsandbytes settings: ``none``, ``8bit``, or ``4bit`` as in QLoRA (NF4 with double quantization)."""
    if quantization not in QUANTIZATIONS:
        raise ValueError(f"QUANTIZATION is {quantization!r}; it is {', '.join(QUANTIZATIONS)}")
    if quantization == "none":
        return None
    if quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",  # the default is fp4
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,  # the default is float32: slow on a GPU
    )


def load_model(name: str, precision: str = "float32", quantization: str = "none", device: str = "cpu"):
    """The model in ``precision`` ("float32", "bfloat16", "float16") on ``device``, quantized if asked."""
    name, revision = locate(name)
    dtype = getattr(torch, precision)
    return AutoModelForImageTextToText.from_pretrained(
        name, revision=revision, dtype=dtype, quantization_config=quantization_config(quantization, dtype),
        device_map={"": device}, use_safetensors=True,
    )  # fmt: skip


def load_processor(name: str):
    """The model's processor: chat template, tokenizer and image processor in one."""
    name, revision = locate(name)
    return AutoProcessor.from_pretrained(name, revision=revision)
