"""The measured side of the dry run's tests."""

from collections.abc import Iterable

import torch
from torch import nn

from helpers.memory import profile_peak


def peak_of_second_step(model: nn.Module, batch: dict[str, torch.Tensor], held: Iterable[torch.Tensor]) -> int:
    """Bytes alive at the peak of the second step: ``held``, which the model had before, and torch's [memory] events."""
    optimizer = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad], lr=1e-4)

    def step():
        model(**batch, use_cache=False).loss.backward()
        optimizer.step()

    step()  # the first one makes the optimizer's state
    there = [*held, *batch.values(), *(value for values in optimizer.state.values() for value in values.values())]
    peaks = []
    for _ in range(2):  # of many runs one lost half of the profiler's events: a peak can be missed, but not made up
        optimizer.zero_grad()
        peaks.append(profile_peak(step, there))
    return max(peaks)
