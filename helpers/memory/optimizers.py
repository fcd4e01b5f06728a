"""The optimizers of a dry run, by the names that the ``optim`` of transformers' trainers has for them, or short ones."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from bitsandbytes.optim import AdamW, GlobalOptimManager
from torch import nn
from transformers.optimization import Adafactor

from helpers.memory.live_tensors import LiveTensors


def _adamw(model: nn.Module, trained: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(trained, lr=1e-4)


def _sgd(model: nn.Module, trained: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(trained, lr=1e-4)


def _adafactor(model: nn.Module, trained: list[nn.Parameter]) -> torch.optim.Optimizer:
    """As the trainer sets it up: a row and a column of second moments for each matrix."""
    return Adafactor(trained, lr=1e-4, scale_parameter=False, relative_step=False)


def _adamw_8bit(model: nn.Module, trained: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Two bytes a number and two scales for each 256, for tensors of 4,096 numbers or more; embeddings keep 32 bits, as the
    trainer asks for."""
    optimizer = AdamW(trained, lr=1e-4, optim_bits=8)
    optimizer.mng = GlobalOptimManager.__new__(GlobalOptimManager)  # its own list of exceptions, not the process's
    optimizer.mng.initialize()
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            optimizer.mng.register_module_override(module, "weight", {"optim_bits": 32})
    return optimizer


OPTIMIZERS: Mapping[str, Callable] = MappingProxyType({
    "adamw": _adamw, "sgd": _sgd, "adafactor": _adafactor, "adamw_bnb_8bit": _adamw_8bit,
    "adamw_torch": _adamw, "adamw_torch_fused": _adamw, "adamw_8bit": _adamw_8bit,
})  # fmt: skip


def optimizer_after_its_first_step(
    name: str, model: nn.Module, trained: list[nn.Parameter], live: LiveTensors
) -> torch.optim.Optimizer:
    """An optimizer of the ``trained`` parameters whose state is there already, as from the second step on."""
    optimizer = OPTIMIZERS[name](model, trained)
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                live.count(value, "optimizer")
    return optimizer
