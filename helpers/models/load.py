"""Load a model and its processor: the embedded one, one from a folder, or one from the hub at a pinned revision."""

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig

from helpers.hub import MODEL_FILES, PROCESSOR_FILES, fetch, is_hub_id
from helpers.models.usable import check_config, check_model, check_template
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


def download(name: str, files: tuple[str, ...] = MODEL_FILES) -> tuple[str, str | None]:
    """What :func:`locate` says; a model of the hub is in the cache afterwards, whole and verified (:mod:`helpers.hub`).

    FileNotFoundError for what is neither a folder nor a hub id.
    """
    found, revision = locate(name)
    if resolve(found).is_dir():
        return found, revision
    if not is_hub_id(name):
        raise FileNotFoundError(f"MODEL is {name!r}; it is embedded, a folder, or a hub id: owner/name@revision")
    fetch(name, "model", files)
    return found, revision


def small_files(name: str) -> tuple[str, str | None, str]:
    """What :func:`download` says, and the folder with all files but the weights."""
    found, revision = locate(name)
    if resolve(found).is_dir() or not is_hub_id(name):
        return *download(name, PROCESSOR_FILES), str(resolve(found))
    return found, revision, str(fetch(name, "model", PROCESSOR_FILES))


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
    """The model in ``precision`` ("float32", "bfloat16", "float16") on ``device``, quantized if asked.

    HubError says what to do if it can't be downloaded; ValueError, before any weights are, if no lesson could work with it.
    """
    check_model(*small_files(name))
    name, revision = download(name)
    dtype = getattr(torch, precision)
    return AutoModelForImageTextToText.from_pretrained(
        name, revision=revision, dtype=dtype, quantization_config=quantization_config(quantization, dtype),
        device_map={"": device}, use_safetensors=True, local_files_only=True,
    )  # fmt: skip


def load_processor(name: str):
    """The model's processor: chat template, tokenizer and image processor in one.

    ValueError if no lesson could work with the model: it sees no pictures, or its chat template doesn't take ours.
    """
    name, revision = download(name, PROCESSOR_FILES)
    check_config(name, revision)
    processor = AutoProcessor.from_pretrained(name, revision=revision, local_files_only=True)
    check_template(processor, name)
    return processor
