"""Count the bytes of the tensors that are alive, and remember their peak: on a CPU nobody else keeps that account."""

import gc
import weakref
from collections import Counter
from collections.abc import Mapping

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class LiveTensors(TorchDispatchMode):
    """While entered, every tensor that an operator returns is counted until its storage is freed.

    A storage is counted once, however many views share it, and stays counted as long as anything holds it: a variable,
    or the graph that saved it for the backward pass. ``total``: bytes alive now, ``peak``: the most so far, ``at_peak``:
    bytes by kind at that moment. What one operator takes and gives back inside itself (workspaces) isn't seen.
    """

    def __init__(self, devices: tuple[str, ...] = ("cpu",)) -> None:
        super().__init__()
        self.devices = devices  # of the storages; a fake tensor's is "meta"
        self.total = self.peak = 0
        self.by_kind: Counter[str] = Counter()
        self.at_peak: dict[str, int] = {}
        self._held: dict[int, tuple[weakref.ref, int, str]] = {}  # address of the storage: reference, bytes, kind

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled while tensors are counted, and keeping the compiler out takes its time

    def count(self, tensor: torch.Tensor, kind: str = "activations") -> None:
        """Count the storage of ``tensor``, under a new ``kind`` if it is counted already."""
        storage = _storage(tensor)
        if storage is None or storage.device.type not in self.devices:
            return
        address, size = storage._cdata, storage.nbytes()
        self._forget(address)
        self._held[address] = (weakref.ref(storage, lambda _: self._forget(address)), size, kind)
        self.by_kind[kind] += size
        self.total += size
        if self.total > self.peak:
            self.peak, self.at_peak = self.total, dict(self.by_kind)

    def count_existing(self) -> None:
        """Count the tensors that Python objects hold already: a model that was loaded before, say."""
        for thing in gc.get_objects():
            if issubclass(type(thing), torch.Tensor):  # isinstance would wake up lazily imported modules
                self.count(thing, "existing")

    def count_batch(self, batch: Mapping) -> None:
        """Count the tensors of a batch that was made elsewhere."""
        for value in batch.values():
            if isinstance(value, torch.Tensor):
                self.count(value)

    def restart_peak(self) -> None:
        """Forget the peak so far; what is alive now is the new one."""
        self.peak, self.at_peak = self.total, dict(self.by_kind)

    def _forget(self, address: int) -> None:
        if address in self._held:
            _, size, kind = self._held.pop(address)
            self.by_kind[kind] -= size
            self.total -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in result if isinstance(result, (tuple, list)) else (result,):
            storage = _storage(leaf) if isinstance(leaf, torch.Tensor) else None
            if storage is not None and storage._cdata not in self._held:
                self.count(leaf)
        return result


def _storage(tensor: torch.Tensor) -> torch.UntypedStorage | None:
    try:
        return tensor.untyped_storage()
    except NotImplementedError:  # sparse tensors and other odd ones: their parts are tensors of their own
        return None
