"""What the weights of a model take in each precision, tensor by tensor, without having them."""

import copy
import re
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from transformers import BitsAndBytesConfig, PreTrainedConfig, PreTrainedModel
from transformers.quantizers.auto import AutoHfQuantizer

from helpers.models import COMPONENTS, component_of, load_config, meta_model

_NF4 = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "bfloat16"}
QUANTIZED = MappingProxyType({
    "int8": BitsAndBytesConfig(load_in_8bit=True),
    "nf4": BitsAndBytesConfig(**_NF4, bnb_4bit_use_double_quant=False),
    "nf4-double-quant": BitsAndBytesConfig(**_NF4, bnb_4bit_use_double_quant=True),
})  # fmt: skip
FLOATS = ("float32", "bfloat16", "float16")
PRECISIONS = (*FLOATS, *QUANTIZED)
_BLOCK, _NESTED_BLOCK = 64, 256  # values that share a scale; scales that share a scale of their own
_LEVELS_4BIT, _LEVELS_8BIT = 16 * 4, 256 * 4  # bytes of the tables that say which number a code stands for


@dataclass(frozen=True)
class MemoryBreakdown:
    """Bytes, by what they are for, all alive at one moment. ``by_component``: the weights and adapters by part of the model."""

    weights: int = 0
    adapters: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    by_component: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.weights + self.adapters + self.gradients + self.optimizer + self.activations


def weight_bytes(config, precision: str, *, rest: str = "bfloat16") -> MemoryBreakdown:
    """What the parameters of a model take once it is loaded in ``precision``; exact, with no weights and no download.

    ``config``: anything that :func:`helpers.models.load_config` takes. ``precision``: one of ``PRECISIONS``.
    ``rest``: what bitsandbytes leaves unquantized has this type (the ``dtype`` given to ``from_pretrained``): embeddings,
    the head, convolutions, norms, biases, tables of positions. Linear layers are quantized, except the head and what is tied.

    - ``int8`` (LLM.int8(), arXiv:2208.07339): a byte a weight, and a float32 scale per output row.
    - ``nf4`` (QLoRA, arXiv:2305.14314): half a byte a weight, a float32 scale per block of 64, and a table of the 16 levels
      per layer.
    - ``nf4-double-quant``: the scales, less their mean, are themselves 8-bit, with a float32 scale per block of 256 and a
      table of the 256 levels per layer.

    Tied weights count once; buffers (tables of rotary angles, under a kilobyte) don't. ValueError says which precisions
    there are.
    """
    plain = check_precision(precision, rest)
    model = skeleton(load_config(config), precision)
    sizes = dict.fromkeys(COMPONENTS, 0)
    for name, parameter in model.named_parameters():
        size, kind = parameter.numel(), type(parameter).__name__
        if kind == "Int8Params":
            size += 4 * parameter.shape[0]
        elif kind == "Params4bit":
            size = -(-size // 2) + _scale_bytes(size, double=precision == "nf4-double-quant")
        else:
            size *= dtype_of(model, name, plain).itemsize
        sizes[component_of(name)] += size
    return MemoryBreakdown(weights=sum(sizes.values()), by_component=sizes)


def stored_as(precision: str, quantization: str) -> str:
    """How :func:`helpers.models.load_model` stores weights that it is given these two for, in the words of ``PRECISIONS``."""
    return {"none": precision, "8bit": "int8", "4bit": "nf4-double-quant"}[quantization]


def check_precision(precision: str, rest: str = "bfloat16") -> torch.dtype:
    """The type of what isn't quantized; ValueError if there is no such precision."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it is one of {', '.join(PRECISIONS)}")
    if rest not in FLOATS:
        raise ValueError(f"rest is {rest!r}; what isn't quantized is one of {', '.join(FLOATS)}")
    return getattr(torch, rest if precision in QUANTIZED else precision)


def skeleton(config: PreTrainedConfig, precision: str) -> PreTrainedModel:
    """The model on the meta device, its linear layers replaced by bitsandbytes' where ``from_pretrained`` would do that."""
    model = meta_model(copy.deepcopy(config))  # quantizing writes into it
    if precision in QUANTIZED:
        quantizer = AutoHfQuantizer.from_config(QUANTIZED[precision], pre_quantized=False)
        quantizer.preprocess_model(model=model, device_map={"": "cpu"})
        quantizer.postprocess_model(model)  # PEFT looks for its mark
    return model


def dtype_of(model: PreTrainedModel, name: str, asked: torch.dtype) -> torch.dtype:
    """The type that the unquantized parameter ``name`` gets: where 16 bits are asked, some stay in float32."""
    kept = set(model._keep_in_fp32_modules_strict or ()) if asked != torch.float32 else set()
    if asked == torch.float16:
        kept |= set(model._keep_in_fp32_modules or ())
    return torch.float32 if any(re.search(rf"(^|\.){pattern}(\.|$)", name) for pattern in kept) else asked


def _scale_bytes(values: int, double: bool) -> int:
    """What it takes to read ``values`` 4-bit values: the levels, and the blocks' scales in float32 or in 8 bits."""
    blocks = -(-values // _BLOCK)
    if not double:
        return _LEVELS_4BIT + 4 * blocks
    return _LEVELS_4BIT + blocks + _LEVELS_8BIT + 4 * -(-blocks // _NESTED_BLOCK) + 4  # the last 4: the mean of the scales
