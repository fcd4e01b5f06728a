"""Dry run of a training step: the model's own code, on tensors that have shapes and no numbers.

Forward pass, backward pass and optimizer step run as in a training, and every tensor is counted while it lives. The
answer holds for models that fit no memory here, and no formula for it has to be kept true.
"""

import copy
from collections.abc import Sequence

import bitsandbytes
import torch
from peft import LoraConfig
from torch import nn

from helpers.lora import wrap
from helpers.memory.fake_batches import FAMILIES
from helpers.memory.fake_floats import FakeFloats
from helpers.memory.live_tensors import LiveTensors
from helpers.memory.weights import QUANTIZED, MemoryBreakdown, check_precision, dtype_of, skeleton
from helpers.models import COMPONENTS, component_of, load_config

OPTIMIZERS = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
_SHARED = ("lora", "precision", "text_tokens", "activation_checkpointing", "optimizer")
_PARTS = ("weights", "adapters", "gradients", "optimizer", "activations")


def estimate_training_memory(
    config,
    *,
    lora: LoraConfig | None = None,
    precision: str = "bfloat16",
    batch_size: int = 1,
    image_tiles: int = 1,
    text_tokens: int = 100,
    activation_checkpointing: bool = False,
    optimizer: str = "adamw",
) -> MemoryBreakdown:
    """What lives at the peak of a steady training step (any but the first: the optimizer has its state by then), in bytes.

    ``config``: anything that :func:`helpers.models.load_config` takes, of one of the families in ``FAMILIES``.
    ``lora``: what is trained; None trains every weight. ``precision``: of the weights, one of
    ``helpers.memory.PRECISIONS``; what a quantized one leaves is bfloat16. ``image_tiles``: squares per example that
    the vision tower sees, of the model's own size (SmolVLM, Idefics3) or one picture of as many 448 x 448 squares (Qwen).
    ``text_tokens``: of each example, beside the image tokens. ``optimizer``: one of ``OPTIMIZERS``.

    Assumed: scaled dot product attention that keeps no score matrices, as torch has it on CPUs and as a GPU's flash or
    memory-efficient kernels do; the model computes in the type of its weights, without autocast; PEFT's adapters are
    float32; the loss is the model's own, over all the tokens' float32 logits; no dropout unless ``lora`` has it.

    Left out: the CUDA context (some hundred megabytes), the allocator's fragmentation, what an operator takes inside
    itself (workspaces), an optimizer step over all tensors at once (``foreach``), and what other processes hold. All examples
    are as long as each other: padding brings attention masks along (3 to 4 % of the peak, as seen on the embedded model with
    five tiles).

    ValueError says which precisions, optimizers, families and linear layers there are, and that numbers must be positive.
    """
    (step,) = estimate_steps(
        config,
        [(batch_size, image_tiles)],
        lora=lora,
        precision=precision,
        text_tokens=text_tokens,
        activation_checkpointing=activation_checkpointing,
        optimizer=optimizer,
    )
    return step


_DEFAULTS = estimate_training_memory.__kwdefaults__


def estimate_steps(config, sizes: Sequence[tuple[int, int]], **settings) -> list[MemoryBreakdown]:
    """:func:`estimate_training_memory` for each (batch size, image tiles) of ``sizes``; the model is opened only once.

    ``settings``: its other ones, with its defaults.
    """
    return _steps(config, sizes, **{name: settings.pop(name, _DEFAULTS[name]) for name in _SHARED}, **settings)


def _steps(
    config,
    sizes: Sequence[tuple[int, int]],
    *,
    lora: LoraConfig | None,
    precision: str,
    text_tokens: int,
    activation_checkpointing: bool,
    optimizer: str,
) -> list[MemoryBreakdown]:
    rest = check_precision(precision)
    for batch_size, image_tiles in sizes:
        for name, value in (("batch_size", batch_size), ("image_tiles", image_tiles), ("text_tokens", text_tokens)):
            if value < 1:
                raise ValueError(f"{name} is {value}; a training step needs at least 1")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer is {optimizer!r}; it is one of {', '.join(OPTIMIZERS)}")
    if precision in QUANTIZED and lora is None:
        raise ValueError(f"{precision} weights can't be trained themselves: give lora=LoraConfig(...), or a float precision")
    config = load_config(config)
    if config.model_type not in FAMILIES:
        raise ValueError(f"no training step is known for model_type {config.model_type!r}; there are {', '.join(FAMILIES)}")

    model = skeleton(config, precision)
    model.set_attn_implementation("sdpa")
    own = {id(parameter) for parameter in model.parameters()}
    if lora is not None:
        lora = copy.deepcopy(lora)  # PEFT writes into it
        lora.base_model_name_or_path = None  # what an earlier use wrote into it: PEFT would warn of another name
        lora.init_lora_weights = False  # some ways to start need the weights' values; all give the same shapes
        model = wrap(model, lora)
    if activation_checkpointing:
        model.activation_checkpointing_enable()
    model.train()

    if precision == "nf4-double-quant":  # makes the table of levels that bitsandbytes keeps for good: it must not be a fake one
        bitsandbytes.functional.quantize_blockwise(torch.zeros(1))
    live = LiveTensors(devices=("cpu", "meta"))
    with live, FakeFloats():
        by_component = _give_fake_weights(model, own, rest, live)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        update = _optimizer_after_its_first_step(OPTIMIZERS[optimizer], trained, live)
        for parameter in trained:
            parameter.register_post_accumulate_grad_hook(lambda parameter: live.count(parameter.grad, "gradients"))
        steps = []
        for batch_size, image_tiles in sizes:
            batch = FAMILIES[config.model_type](config, batch_size, image_tiles, text_tokens)
            mask = batch.pop("pixel_attention_mask", None)  # held as long as the batch; no pixel is padding: no need to read it
            live.restart_peak()
            model(**batch, use_cache=False).loss.backward()  # as the trainers do: the outputs, with the logits, are let go of
            update.step()
            steps.append(MemoryBreakdown(**{part: live.at_peak.get(part, 0) for part in _PARTS}, by_component=by_component))
            update.zero_grad()
            del mask, batch
    return steps


def _give_fake_weights(model: nn.Module, own: set[int], rest: torch.dtype, live: LiveTensors) -> dict[str, int]:
    """Replace parameters and buffers, all on the meta device, by fake ones on the CPU. Bytes of the weights by component.

    ``own``: the ids of the model's own parameters; the others are adapters, which PEFT keeps in float32.
    """
    sizes, replaced, kept = dict.fromkeys(COMPONENTS, 0), {}, []
    for path, module in model.named_modules():
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            if id(parameter) not in replaced:  # tied weights stay tied
                kept.append(parameter)  # as long as it lives, no other object has its id
                kind = "weights" if id(parameter) in own else "adapters"
                dtype = dtype_of(model, f"{path}.{name}", rest) if kind == "weights" else torch.float32
                replaced[id(parameter)], parts = _fake_parameter(module, parameter, dtype)
                for part in parts:
                    live.count(part, kind)
                    sizes[component_of(f"{path}.{name}")] += part.nbytes
            module._parameters[name] = replaced[id(parameter)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.zeros(buffer.shape, dtype=buffer.dtype)
    return sizes


def _fake_parameter(module: nn.Module, parameter: nn.Parameter, dtype: torch.dtype) -> tuple[nn.Parameter, list[torch.Tensor]]:
    """The parameter, and the tensors that it consists of: a quantized one has scales beside it."""
    kind, full = type(parameter).__name__, torch.empty(parameter.shape, dtype=dtype)
    if kind == "Params4bit":
        packed, state = bitsandbytes.functional.quantize_4bit(
            full, quant_type=parameter.quant_type, compress_statistics=parameter.compress_statistics
        )
        fake = nn.Parameter(packed, requires_grad=False)
        fake.quant_state = module.quant_state = state
        scales = [state.offset, state.state2.absmax, state.state2.code] if state.nested else []
        return fake, [packed, state.absmax, state.code, *scales]
    if kind == "Int8Params":
        rows = torch.empty(parameter.shape[0], dtype=torch.float32)
        fake = nn.Parameter(torch.empty_like(full, dtype=torch.int8), requires_grad=False)
        fake.CB, fake.SCB = fake.data, rows
        return fake, [fake, rows]
    fake = nn.Parameter(full, requires_grad=parameter.requires_grad)
    return fake, [fake]


def _optimizer_after_its_first_step(kind: type, trained: list[nn.Parameter], live: LiveTensors) -> torch.optim.Optimizer:
    """An optimizer whose state is there already, as from the second step on."""
    optimizer = kind(trained, lr=1e-4)
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                live.count(value, "optimizer")
    return optimizer
