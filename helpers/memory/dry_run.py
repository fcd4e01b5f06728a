"""Dry run of a training step: the model's own code, on tensors that have shapes and no numbers.

Forward pass, backward pass and optimizer step run as in a training, and every tensor is counted while it lives. The
answer holds for models that fit no memory here, and no formula for it has to be kept true.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral
from unittest import mock

import torch
from peft import LoraConfig

from helpers.memory.fake_batches import make_batch, with_fake_floats
from helpers.memory.fake_floats import FakeFloats
from helpers.memory.fake_model import give_fake_weights, typed_skeleton
from helpers.memory.live_tensors import LiveTensors
from helpers.memory.optimizers import OPTIMIZERS, optimizer_after_its_first_step
from helpers.memory.weights import QUANTIZED, MemoryBreakdown, check_precision
from helpers.models import load_config, vision_tower

_SHARED = ("lora", "precision", "text_tokens", "activation_checkpointing", "optimizer", "frozen_vision")
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
    frozen_vision: bool = False,
    batch: Mapping | None = None,
) -> MemoryBreakdown:
    """What lives at the peak of a steady training step (any but the first: the optimizer has its state by then), in bytes.

    ``config``: anything that :func:`helpers.models.load_config` takes. ``lora``: what is trained; None trains every weight.
    ``precision``: of the weights, one of ``helpers.memory.PRECISIONS``; what a quantized one leaves is bfloat16.
    ``optimizer``: one of ``OPTIMIZERS``, most of them by the name that transformers' ``optim`` has for it.
    ``frozen_vision``: the vision tower runs without a gradient, as in lessons 04 and 05.

    ``batch``: what a processor or collator returned, of any family, with labels or without; its floats are taken to be of the
    model's type. It stands for ``batch_size``, ``image_tiles``, and ``text_tokens``, which then say nothing. Without it a batch
    is made up: ``image_tiles`` squares per example, of the size that the vision tower sees; or, where pictures are taken in
    their own size (Qwen, Pixtral), one picture of as many 448 x 448 squares; and ``text_tokens`` beside the image tokens.

    Assumed: scaled dot product attention that keeps no score matrices, as torch has it on CPUs and as a GPU's flash or
    memory-efficient kernels do; the model computes in the type of its weights, without autocast; what is trained beside them
    has the type that PEFT gives it (adapters float32); the loss is the model's own, over all the tokens' float32 logits; no
    dropout unless ``lora`` has it.

    Left out: the CUDA context (some hundred megabytes), the allocator's fragmentation, what an operator takes inside
    itself (workspaces), an optimizer step over all tensors at once (``foreach``), and what other processes hold. All examples
    of a made-up batch are as long as each other: padding brings attention masks along (3 to 4 % of the peak, as seen on the
    embedded model with five tiles).

    ValueError says which precisions, optimizers and linear layers there are, that numbers must be positive, that a model has no
    vision tower to spare, and where no batch can be made up.
    """
    (step,) = estimate_steps(
        config,
        [(batch_size, image_tiles) if batch is None else batch],
        lora=lora,
        precision=precision,
        text_tokens=text_tokens,
        activation_checkpointing=activation_checkpointing,
        optimizer=optimizer,
        frozen_vision=frozen_vision,
    )
    return step


_DEFAULTS = estimate_training_memory.__kwdefaults__


def estimate_steps(config, batches: Sequence[tuple[int, int] | Mapping], **settings) -> list[MemoryBreakdown]:
    """:func:`estimate_training_memory` for each of ``batches``, of which the model is opened only once.

    Each is a (batch size, image tiles), or a processor's own batch. ``settings``: its other ones, with its defaults.
    """
    return _steps(config, batches, **{name: settings.pop(name, _DEFAULTS[name]) for name in _SHARED}, **settings)


def _steps(
    config,
    batches: Sequence[tuple[int, int] | Mapping],
    *,
    lora: LoraConfig | None,
    precision: str,
    text_tokens: int,
    activation_checkpointing: bool,
    optimizer: str,
    frozen_vision: bool,
) -> list[MemoryBreakdown]:
    rest = check_precision(precision)
    for sizes in batches:
        if not isinstance(sizes, Mapping):
            check_sizes(batch_size=sizes[0], image_tiles=sizes[1], text_tokens=text_tokens)
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer is {optimizer!r}; it is one of {', '.join(OPTIMIZERS)}")
    if precision in QUANTIZED and lora is None:
        raise ValueError(f"{precision} weights can't be trained themselves: give lora=LoraConfig(...), or a float precision")
    model, own = typed_skeleton(load_config(config), precision, rest, lora)
    if frozen_vision:
        tower = vision_tower(model)
        tower.forward = torch.no_grad()(tower.forward)
    if activation_checkpointing:
        model.activation_checkpointing_enable()
    model.train()
    live, fakes, steps = LiveTensors(devices=("cpu", "meta")), FakeFloats(), []
    with live, fakes, mock.patch.object(torch, "get_rng_state", partial(_counted, live)):
        by_component = give_fake_weights(model, own, rest, live)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        update = optimizer_after_its_first_step(optimizer, model, trained, live)
        for parameter in trained:
            parameter.register_post_accumulate_grad_hook(lambda parameter: live.count(parameter.grad, "gradients"))
        for sizes in batches:
            if isinstance(sizes, Mapping):
                batch = with_fake_floats(sizes, rest, fakes)
            else:
                batch = make_batch(model, rest, *sizes, text_tokens)
            live.count_batch(batch)
            live.restart_peak()
            model(**batch, use_cache=False).loss.backward()  # as the trainers do: the outputs, with the logits, are let go of
            _forget_unused(update, trained, live)
            update.step()
            steps.append(MemoryBreakdown(**{part: live.at_peak.get(part, 0) for part in _PARTS}, by_component=by_component))
            update.zero_grad()
            del batch
    return steps


def _forget_unused(optimizer: torch.optim.Optimizer, trained: list[torch.nn.Parameter], live: LiveTensors) -> None:
    """What has no gradient never got a state: layers whose output isn't used, a tower that runs without one."""
    before = live.by_kind["optimizer"]
    for parameter in trained:
        if parameter.grad is None:
            optimizer.state.pop(parameter, None)
    unused = before - live.by_kind["optimizer"]
    live.peak -= unused
    live.at_peak["optimizer"] = live.at_peak.get("optimizer", 0) - unused


def _counted(live: LiveTensors, random_state=torch.get_rng_state) -> torch.Tensor:
    """The state of the random numbers, which every checkpointed layer keeps: 5 KB that no operator makes."""
    live.count(state := random_state())
    return state


def check_sizes(**sizes: int) -> None:
    """ValueError if one is no whole number, or less than 1."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a whole number, at least 1")
