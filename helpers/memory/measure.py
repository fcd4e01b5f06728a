"""What a piece of work takes in memory: its peak while it runs, and giving back what it left."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch

from helpers.memory.live_tensors import LiveTensors

_SAMPLE_SECONDS = 0.02


@dataclass
class PeakMemory:
    """Filled in when the ``with`` block ends.

    ``peak_bytes``: the most that ``what`` took. ``process_bytes``: the most resident memory of the process, which holds
    Python, libraries, data and freed memory that nobody gave back as well.
    """

    peak_bytes: int = 0
    process_bytes: int = 0
    what: str = ""


@contextmanager
def measure_peak_memory(device: str = "cpu", *, tensors: bool = True) -> Iterator[PeakMemory]:
    """Peak while the block runs.

    ``device``: on "cuda" the peak is ``max_memory_allocated``; on "mps" allocated memory, sampled every 20 ms; on "cpu" the
    bytes of all living tensors, counted at every operator, those that the model holds beforehand and those that are saved
    for the backward pass included (an operator's own workspace isn't). Counting costs some tens of microseconds per
    operator: with ``tensors=False`` a CPU's peak is that of the process instead, at no cost. ValueError for another device.
    """
    if device not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device is {device!r}; memory is measured on cpu, cuda and mps")
    result, process = PeakMemory(what=_WHAT[device] if tensors or device != "cpu" else _WHAT["process"]), psutil.Process()
    watched = {"process_bytes": lambda: process.memory_info().rss}
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif device == "mps":
        watched["peak_bytes"] = torch.mps.current_allocated_memory
    live = LiveTensors()
    with _sampled_peaks(result, watched):
        if device == "cpu" and tensors:
            live.count_existing()
            with live:
                yield result
        else:
            yield result
    if device == "cuda":
        result.peak_bytes = torch.cuda.max_memory_allocated()
    elif device == "cpu":
        result.peak_bytes = live.peak if tensors else result.process_bytes


_WHAT = {
    "cuda": "allocated on the GPU", "mps": "allocated on the Mac's GPU", "cpu": "tensors alive",
    "process": "resident memory of the process",
}  # fmt: skip


@contextmanager
def _sampled_peaks(result: PeakMemory, watched: dict[str, Callable[[], int]]) -> Iterator[None]:
    """Keep the highest value of each function of ``watched`` in the field of ``result`` that it is named after."""
    stop = threading.Event()

    def look() -> None:
        for name, now in watched.items():
            setattr(result, name, max(getattr(result, name), now()))

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            look()

    look()
    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        look()


def free_memory() -> None:
    """Give back what deleted models held: a trainer's reference cycles keep them alive until the collector runs."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
