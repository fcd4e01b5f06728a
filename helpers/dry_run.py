"""Dry run of a training step: the model's own code, on tensors that have shapes and no numbers.

Forward pass, backward pass and optimizer step run as in a training, and every tensor is counted while it lives. The
answer holds for models that fit no memory here, and no formula for it has to be kept true.
"""

import copy

import bitsandbytes
import torch
from peft import LoraConfig
from torch import nn
from transformers import PreTrainedConfig

from helpers.architectures import COMPONENTS, component_of, load_config
from helpers.fake_floats import FakeFloats
from helpers.live_tensors import LiveTensors
from helpers.lora import wrap
from helpers.weights import QUANTIZED, MemoryBreakdown, check_precision, dtype_of, skeleton

OPTIMIZERS = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
QWEN_TILE = 448  # pixels; Qwen's models cut no tiles, so a picture of so many squares is assumed


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

    ``config``: anything that :func:`helpers.architectures.load_config` takes, of one of the families in ``FAMILIES``.
    ``lora``: what is trained; None trains every weight. ``precision``: of the weights, one of
    ``helpers.weights.PRECISIONS``; what a quantized one leaves is bfloat16. ``image_tiles``: squares per example that
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
    rest = check_precision(precision)
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
    with FakeFloats(), live:
        by_component = _give_fake_weights(model, own, rest, live)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        step = _optimizer_after_its_first_step(OPTIMIZERS[optimizer], trained, live)
        for parameter in trained:
            parameter.register_post_accumulate_grad_hook(lambda parameter: live.count(parameter.grad, "gradients"))
        batch = FAMILIES[config.model_type](config, batch_size, image_tiles, text_tokens)
        mask = batch.pop("pixel_attention_mask", None)  # held as long as the batch; that no pixel is padding needs no reading
        live.restart_peak()
        model(**batch, use_cache=False).loss.backward()  # as the trainers do: the outputs, with the logits, are let go of
        step()
        del mask
    parts = {part: live.at_peak.get(part, 0) for part in ("weights", "adapters", "gradients", "optimizer", "activations")}
    return MemoryBreakdown(**parts, by_component=by_component)


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


def _optimizer_after_its_first_step(kind: type, trained: list[nn.Parameter], live: LiveTensors):
    """A step of an optimizer whose state is there already, as from the second step on."""
    optimizer = kind(trained, lr=1e-4)
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                live.count(value, "optimizer")
    return optimizer.step


def _tiled_batch(config: PreTrainedConfig, batch_size: int, image_tiles: int, text_tokens: int) -> dict:
    """A batch as the processors of SmolVLM and Idefics3 make it: (batch, tiles, channels, height, width) and the tokens."""
    vision = config.vision_config
    tokens = image_tiles * (vision.image_size // vision.patch_size // config.scale_factor) ** 2
    side = vision.image_size
    return {
        "pixel_values": torch.empty(batch_size, image_tiles, vision.num_channels, side, side),
        "pixel_attention_mask": torch.empty(batch_size, image_tiles, side, side, dtype=torch.int64),
        **_tokens(batch_size, config.image_token_id, tokens, text_tokens),
    }


def _patched_batch(config: PreTrainedConfig, batch_size: int, image_tiles: int, text_tokens: int) -> dict:
    """A batch as Qwen's processors make it: (patches of all pictures, values of a patch), their grids, and the tokens."""
    vision = config.vision_config
    merge = vision.spatial_merge_size
    side = QWEN_TILE // (vision.patch_size * merge) * merge  # patches
    channels = getattr(vision, "in_channels", None) or vision.in_chans
    values = channels * vision.temporal_patch_size * vision.patch_size**2
    batch = _tokens(batch_size, config.image_token_id, image_tiles * (side // merge) ** 2, text_tokens)
    return {
        "pixel_values": torch.empty(batch_size * image_tiles * side * side, values),
        "image_grid_thw": torch.tensor([[1, side, side * image_tiles]] * batch_size),
        "mm_token_type_ids": (batch["input_ids"] == config.image_token_id).int(),
        **batch,
    }


def _tokens(batch_size: int, image_token: int, image_tokens: int, text_tokens: int) -> dict[str, torch.Tensor]:
    """Image tokens, then text tokens, all of these trained on; which are trained on makes no difference to memory."""
    ids = torch.zeros(batch_size, image_tokens + text_tokens, dtype=torch.int64)
    ids[:, :image_tokens] = image_token
    labels = torch.where(ids == image_token, -100, ids)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


FAMILIES = {"smolvlm": _tiled_batch, "idefics3": _tiled_batch, "qwen2_vl": _patched_batch, "qwen2_5_vl": _patched_batch}
