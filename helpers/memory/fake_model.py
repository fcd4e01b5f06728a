"""A model as it is after loading, wrapped by PEFT, with fake weights: their shapes, types and quantization, and no numbers."""

import contextlib
import copy
from unittest import mock

import bitsandbytes
import torch
from peft import LoraConfig
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from transformers import PreTrainedConfig

from helpers.lora import wrap
from helpers.memory.live_tensors import LiveTensors
from helpers.memory.weights import dtype_of, skeleton
from helpers.models import COMPONENTS, component_of


class Params4bit(FakeTensor):
    """A fake 4-bit weight. DoRA unpacks weights of this class's name."""


class Int8Params(FakeTensor):
    """A fake 8-bit weight."""


def typed_skeleton(
    config: PreTrainedConfig, precision: str, rest: torch.dtype, lora: LoraConfig | None
) -> tuple[nn.Module, set[int]]:
    """The model on the meta device, each weight of the type that loading gives it, and the ids of the model's own ones.

    ``rest``: the type of what isn't quantized. PEFT wraps it, and so decides itself which type adapters and saved modules have.
    """
    bitsandbytes.functional.quantize_blockwise(torch.zeros(1))  # makes tables that are kept for good: they must not be fake
    model = skeleton(config, precision)
    with contextlib.suppress(ValueError):  # a part that has no such attention keeps what it has, as it would when loaded
        model.set_attn_implementation("sdpa")
    for name, parameter in model.named_parameters():
        if not _is_quantized(parameter):
            parameter.data = parameter.data.to(dtype_of(model, name, rest))
    own = {id(parameter) for parameter in model.parameters()}
    if lora is not None:
        lora = copy.deepcopy(lora)  # PEFT writes into it
        lora.base_model_name_or_path = None  # what an earlier use wrote into it: PEFT would warn of another name
        lora.init_lora_weights = False  # some ways to start need the weights' values; all give the same shapes
        with mock.patch("peft.tuners.lora.dora.dequantize_module_weight", _unpacked):
            model = wrap(model, lora)
        whole = [name for name, parameter in model.named_parameters() if parameter.requires_grad and _is_quantized(parameter)]
        if whole:  # PEFT stops here too, with a word about floating point
            raise ValueError(f"{whole[0]} is quantized and can't be trained itself: leave it out of modules_to_save")
    return model, own


def _is_quantized(parameter: nn.Parameter) -> bool:
    return type(parameter).__name__ in ("Params4bit", "Int8Params")


def _unpacked(layer: nn.Module) -> torch.Tensor:
    """What DoRA's start takes the norm of. On the meta device nothing is packed yet."""
    return torch.empty(layer.weight.shape, device="meta") if _is_quantized(layer.weight) else layer.weight


def give_fake_weights(model: nn.Module, own: set[int], rest: torch.dtype, live: LiveTensors) -> dict[str, int]:
    """Replace parameters and buffers, all on the meta device, by fake ones on the CPU. Bytes of the weights by component.

    Inside of ``FakeFloats``. ``own``: the ids of the model's own parameters; the others are adapters.
    """
    sizes, replaced, kept = dict.fromkeys(COMPONENTS, 0), {}, []
    for path, module in model.named_modules():
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            if id(parameter) not in replaced:  # tied weights stay tied
                kept.append(parameter)  # as long as it lives, no other object has its id
                replaced[id(parameter)], parts = _fake(module, parameter, rest)
                for part in parts:
                    live.count(part, "weights" if id(parameter) in own else "adapters")
                    sizes[component_of(f"{path}.{name}")] += part.nbytes
            module._parameters[name] = replaced[id(parameter)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.zeros(buffer.shape, dtype=buffer.dtype)
    return sizes


def _fake(module: nn.Module, parameter: nn.Parameter, rest: torch.dtype) -> tuple[nn.Parameter, list[torch.Tensor]]:
    """The parameter, and the tensors that it consists of: a quantized one has scales beside it."""
    if not _is_quantized(parameter):
        fake = nn.Parameter(torch.empty(parameter.shape, dtype=parameter.dtype), requires_grad=parameter.requires_grad)
        return fake, [fake]
    full = torch.empty(parameter.shape, dtype=rest)
    if type(parameter).__name__ == "Params4bit":
        packed, state = bitsandbytes.functional.quantize_4bit(
            full, quant_type=parameter.quant_type, compress_statistics=parameter.compress_statistics
        )
        fake = nn.Parameter(packed, requires_grad=False)
        fake.__class__ = Params4bit
        fake.quant_state = module.quant_state = state
        module.support_avx512bf16_for_cpu = False  # some CPUs' own packing; here the CPU stands for any device
        scales = [state.offset, state.state2.absmax, state.state2.code] if state.nested else []
        return fake, [packed, state.absmax, state.code, *scales]
    rows = torch.empty(parameter.shape[0], dtype=torch.float32)
    fake = nn.Parameter(torch.empty_like(full, dtype=torch.int8), requires_grad=False)
    fake.__class__ = Int8Params
    module.state.threshold = 0.0  # columns of outliers, which are multiplied apart, take little: none is assumed
    fake.CB, fake.SCB = fake.data, rows
    return fake, [fake, rows]
