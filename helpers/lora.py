"""Say which layers LoRA shall train, the text layers of any vision language model, and count it, without the weights.

PEFT itself wraps the model, built on the meta device: whatever a ``LoraConfig`` can say (patterns, DoRA, ``all-linear``,
``rank_pattern``, ``modules_to_save``) is counted as PEFT does it, in seconds, for 7 billion parameters too.
"""

import copy
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from helpers.models import COMPONENTS, component_of, load_config, meta_model, text_model

# Ways to start the adapters that compute something from the weights' values, which the meta device has not. They change
# no shape.
_NEEDS_VALUES = ("pissa", "corda", "olora", "loftq", "orthogonal", "lora_ga", "eva")


@dataclass(frozen=True)
class LoraCount:
    """Parameters, as ``print_trainable_parameters()`` counts them. ``str()`` is the line that it prints.

    ``total`` includes the adapters; ``percent`` is 0..100. ``by_component``: trainable parameters of each of
    ``helpers.models.COMPONENTS``; ``by_module``: of each module that has some, by its name in the base model.
    """

    trainable: int
    total: int
    percent: float
    by_component: dict[str, int]
    by_module: dict[str, int] = field(repr=False)

    def modules(self, component: str) -> list[str]:
        """Names of the modules of ``component`` that are trained."""
        return [name for name in self.by_module if component_of(name) == component]

    def __str__(self) -> str:
        return f"trainable params: {self.trainable:,} || all params: {self.total:,} || trainable%: {self.percent:.4f}"


def text_layers(config_or_name, kinds: Iterable[str] | None = None) -> str:
    r"""A pattern for ``target_modules``: all linear layers of the text model, none of vision tower, connector and head.

    ``config_or_name``: anything that ``load_config`` takes. ``kinds``: only layers of these names, such as ``("q_proj",
    "v_proj")``, which gives SmolVLM ``model\.text_model\..*\.(q_proj|v_proj)``: PEFT takes a string as a regular expression
    for a layer's whole name, and a list as what names may end with, in the vision tower too (peft, ``target_modules``).
    Experts that lie together in one tensor are no linear layers, and aren't in it. ValueError says which kinds there are.
    """
    model = meta_model(load_config(config_or_name))
    path, decoder = text_model(model)
    # In Llama 4, BLIP-2 and Kosmos-2 the decoder is a whole language model, with its head inside.
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    layers = [name for name, module in decoder.named_modules() if isinstance(module, nn.Linear) and module is not head]
    there = list(dict.fromkeys(map(_ending, layers)))
    chosen = there if kinds is None else [kinds] if isinstance(kinds, str) else list(kinds)
    if unknown := [kind for kind in chosen if kind not in there]:
        raise ValueError(f"the text model has no layers called {', '.join(unknown)}; there are {', '.join(there)}")
    if not chosen:
        raise ValueError(f"no kind of layers is asked for; there are {', '.join(there)}")
    wanted = {f"{path}.{name}" for name in layers if _ending(name) in chosen}
    pattern = rf"{re.escape(path)}\..*\.({'|'.join(map(re.escape, chosen))})"
    hit = {name for name, _ in model.named_modules() if re.fullmatch(pattern, name)}
    if hit != wanted:  # a name that elsewhere means something else: say where each stands, whatever the layer's number
        places = dict.fromkeys(re.sub(r"\d+", r"\\d+", re.escape(name.removeprefix(f"{path}."))) for name in sorted(wanted))
        pattern = rf"{re.escape(path)}\.({'|'.join(places)})"
    return pattern


def count_parameters(config, lora_config: LoraConfig) -> LoraCount:
    """What ``get_peft_model`` would train in the model of ``config``: anything that ``load_config`` takes.

    ``lora_config`` stays as it is. ValueError lists the linear layers if its targets match nothing.
    """
    model = meta_model(load_config(config))
    lora_config = copy.deepcopy(lora_config)  # PEFT writes the resolved targets and the model's name into it
    if str(lora_config.init_lora_weights).lower().startswith(_NEEDS_VALUES):
        lora_config.init_lora_weights = True
    model = wrap(model, lora_config)
    return count_model(model)


def wrap(model: nn.Module, lora_config: LoraConfig) -> PeftModel:
    """PEFT around a model without numbers, on the meta device or of fake tensors. ValueError lists the linear layers if the
    targets match nothing.

    Not by ``low_cpu_mem_usage``: that takes apart what ``ensure_weight_tying`` ties, and counts it twice (peft#2864).
    """
    layers = _linear_layers(model)
    try:
        with next(model.parameters()).device:  # where the model is, adapters are made, without numbers too
            return get_peft_model(model, lora_config)
    except ValueError as error:
        if "target" not in str(error).lower():
            raise
        raise ValueError(f"{error} The linear layers of this model: {layers}.") from error


def count_model(model: nn.Module) -> LoraCount:
    """Trainable and all parameters of a model, wrapped by PEFT or not, quantized or not.

    A weight that two modules share is counted once; bitsandbytes' 4-bit weights, packed two to a byte, as what they stand for.
    """
    by_module, by_component, total = Counter(), dict.fromkeys(COMPONENTS, 0), 0
    for name, parameter in model.named_parameters():
        count = _numel(parameter)
        total += count
        if parameter.requires_grad:
            by_module[_module_of(name)] += count
            by_component[component_of(name)] += count
    trainable = by_module.total()
    return LoraCount(trainable, total, 100 * trainable / total, by_component, dict(by_module))


def _numel(parameter: nn.Parameter) -> int:
    if type(parameter).__name__ == "Params4bit":  # by name, as PEFT does: bitsandbytes need not be installed to count
        return parameter.numel() * 2 * parameter.element_size()
    return parameter.numel()


def _module_of(parameter_name: str) -> str:
    """The base model's module that a parameter belongs to, without what PEFT puts around and into it."""
    module = parameter_name.removeprefix("base_model.model.").rpartition(".")[0]
    return re.split(r"\.(?:lora_\w+|modules_to_save|original_module|token_adapter|base_layer)\b", module)[0]


def _ending(name: str) -> str:
    """What a layer is called: ``mlp.0``, not ``0``, as a number alone says nothing."""
    return re.search(r"[^.]*[^.\d][^.]*(\.\d+)*$", name).group()


def _linear_layers(model: nn.Module) -> str:
    """What the linear layers' names end with, and how many there are, by component."""
    names = {component: Counter() for component in COMPONENTS}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            names[component_of(name)][_ending(name)] += 1
    listed = {component: ", ".join(f"{name} ({n})" for name, n in counts.items()) for component, counts in names.items()}
    return "; ".join(f"{component}: {text}" for component, text in listed.items() if text)
