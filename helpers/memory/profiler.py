"""Peak memory as torch itself reports it, for checking other figures against: the allocator's own events."""

import os
from collections.abc import Callable, Iterable

import torch
from torch.profiler import ProfilerActivity, profile


def profile_peak(work: Callable[[], None], held: Iterable[torch.Tensor], device: str = "cpu") -> int:
    """Bytes alive at the peak while ``work`` runs.

    On a GPU that is ``max_memory_allocated``. On a CPU: the storages of ``held``, the tensors that are alive before, and
    the allocations and releases that ``torch.profiler`` records as ``[memory]`` events; it sees an operator's workspace too.
    """
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        work()
        return torch.cuda.max_memory_allocated()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler prints an error where there is no GPU
    storages = [tensor.untyped_storage() for tensor in held]
    before = sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    events = sorted((e.start_ns(), e.nbytes()) for e in profiled.profiler.kineto_results.events() if e.name() == "[memory]")
    now = peak = 0
    for _, change in events:
        now += change
        peak = max(peak, now)
    return before + peak
