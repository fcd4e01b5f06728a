"""Measure the memory that a piece of work takes at its peak."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch

_SAMPLE_SECONDS = 0.02


@dataclass
class PeakMemory:
    """``peak_bytes``: filled in when the ``with`` block ends. ``what``: which memory it is."""

    peak_bytes: int = 0
    what: str = ""


@contextmanager
def measure_peak_memory(device: str = "cpu") -> Iterator[PeakMemory]:
    """Peak while the block runs: CUDA's ``max_memory_allocated``, or on a CPU the process's resident memory, sampled."""
    result = PeakMemory()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        result.what = "allocated on the GPU"
        yield result
        result.peak_bytes = torch.cuda.max_memory_allocated()
        return
    process, stop = psutil.Process(), threading.Event()
    result.what = "resident memory of the process"

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            result.peak_bytes = max(result.peak_bytes, process.memory_info().rss)

    result.peak_bytes = process.memory_info().rss
    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield result
    finally:
        stop.set()
        thread.join()


def free_memory() -> None:
    """Give back what deleted models held: a trainer's reference cycles keep them alive until the collector runs."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
