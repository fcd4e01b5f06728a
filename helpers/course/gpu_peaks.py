"""Real training steps of a model on a GPU: what each takes and how long it lasts, beside the dry run of the same step."""

import time
from dataclasses import asdict, dataclass

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import BatchFeature

from helpers.lora import text_layers
from helpers.memory import (
    estimate_training_memory,
    free_memory,
    measure_peak_memory,
    one_example,
    repeated,
    room_for_tensors,
    stored_as,
)
from helpers.models import Hardware, load_model, vision_tower

STEPS = 4  # the first makes the optimizer's state and warms up: it isn't counted


@dataclass(frozen=True)
class Setting:
    """A way to train. ``frozen_vision``: the vision tower runs without a gradient, as lessons 04 to 07 have it."""

    name: str
    batch: int
    checkpointing: bool
    frozen_vision: bool = True
    quantization: str = "none"


SETTINGS = (
    Setting("LoRA, checkpointing", 4, True),
    Setting("LoRA, checkpointing, tower with gradient", 4, True, frozen_vision=False),
    Setting("LoRA", 4, False),
    Setting("LoRA in 8 bits, checkpointing", 1, True, quantization="8bit"),
    Setting("LoRA in 4 bits, checkpointing", 1, True, quantization="4bit"),
)


def lesson_lora(model: str, rank: int = 8) -> LoraConfig:
    """Lesson 04's adapter."""
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=text_layers(model), task_type="CAUSAL_LM")


def without_gradient(model: nn.Module) -> None:
    """Lesson 04's line: the vision tower is frozen, and is spared what checkpointing would have it compute."""
    tower = vision_tower(model)
    tower.forward = torch.no_grad()(tower.forward)


def one_batch(processor, row: dict, size: int) -> BatchFeature:
    """A chart question and its answer, ``size`` times, with every token trained on: no padding, so that the bytes are exact."""
    batch = repeated(one_example(row, processor), size)
    return BatchFeature({**batch, "labels": batch["input_ids"].clone()})


def dry_run_gb(model: str, setting: Setting, precision: str, batch: BatchFeature) -> float:
    """What the dry run says of a step with that batch, in GB."""
    step = estimate_training_memory(
        model,
        lora=lesson_lora(model),
        precision=stored_as(precision, setting.quantization),
        batch=batch,
        activation_checkpointing=setting.checkpointing,
        frozen_vision=setting.frozen_vision,
    )
    return step.total / 1e9


def measure_steps(model: str, processor, row: dict, setting: Setting, precision: str, hardware: Hardware) -> dict:
    """Time and peak of real steps in ``setting``, and the dry run of it.

    ``row``: of :func:`helpers.data.load_chartqa`. Returns the setting's fields, ``tokens`` and ``tiles`` of an example,
    ``dry_run_gb``, and where that fits the device: ``step_seconds`` (the median), ``peak_gb`` (what living tensors took),
    ``reserved_gb`` (what the allocator took from the GPU for them; on a CPU the same) and ``dry_run_error`` (0.01: the dry run
    says one per cent too much).
    """
    free_memory()
    with measure_peak_memory(hardware.device) as before:
        pass
    batch = one_batch(processor, row, setting.batch)
    dry = dry_run_gb(model, setting, precision, batch)
    sizes = {"tokens": batch["input_ids"].shape[1], "tiles": batch["pixel_values"].shape[1], "dry_run_gb": dry}
    measured = asdict(setting) | sizes
    if 1e9 * dry > room_for_tensors(hardware):
        return measured
    batch = batch.to(hardware.device, dtype=getattr(torch, precision))
    taken = _real_steps(load_model(model, precision, setting.quantization, hardware.device), model, setting, batch)
    taken["peak_gb"] -= before.peak_bytes / 1e9
    del batch
    free_memory()
    return measured | taken | {"dry_run_error": dry / taken["peak_gb"] - 1}


def _real_steps(base: nn.Module, name: str, setting: Setting, batch: BatchFeature) -> dict:
    device = base.device.type
    model = get_peft_model(base, lesson_lora(name))
    if setting.checkpointing:
        base.activation_checkpointing_enable()
    if setting.frozen_vision:
        without_gradient(model)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, foreach=False)

    def step() -> float:
        began = time.perf_counter()
        model(**batch, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()  # until here the CPU was only ahead of it
        return time.perf_counter() - began

    model.train()
    step()
    with measure_peak_memory(device) as memory:
        seconds = sorted(step() for _ in range(STEPS - 1))
    peak = memory.peak_bytes / 1e9
    reserved = torch.cuda.max_memory_reserved() / 1e9 if device == "cuda" else peak
    return {"step_seconds": seconds[len(seconds) // 2], "peak_gb": peak, "reserved_gb": reserved}
