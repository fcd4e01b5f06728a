"""What this machine has, and which precision and profile suit it. Decisions are plain functions of the facts.

torch is imported where a fact is asked of it: it takes seconds, and the runner decides without it.
"""

import os
import shutil
import sys
from dataclasses import dataclass

_MOST_WORKERS = 4  # as many prepared the pictures of 13 tiles as fast as an H200 took them
_SHARED_BYTES = 1e9


@dataclass(frozen=True)
class Hardware:
    """``device``: "cuda", "mps" or "cpu". ``native_bf16``: in silicon, not emulated. ``memory_bytes``: of the device."""

    device: str
    name: str
    memory_bytes: int
    native_bf16: bool


MACS_GPU = (
    "left aside by DEVICE=auto: people report losses that stay stuck there; DEVICE=mps takes it, never run by this course"
)


def detect(device: str = "auto") -> Hardware:
    """The first CUDA GPU, or the CPU if there is none or ``device`` is "cpu".

    A Mac's GPU only if asked for as "mps": people report losses that stay stuck there, and the course was never run on one.
    ValueError for another ``device``, and for "mps" where there is none.
    """
    import psutil
    import torch

    if device not in ("auto", "cpu", "mps"):
        raise ValueError(f"DEVICE is {device!r}; it is auto, cpu or mps")
    if device == "mps":
        if not has_macs_gpu():
            raise ValueError("DEVICE is 'mps', and this machine has no GPU of a Mac that PyTorch can use; take auto or cpu")
        return Hardware("mps", "the Mac's GPU", torch.mps.recommended_max_memory(), native_bf16=False)
    if device == "auto" and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        # torch.cuda.is_bf16_supported() counts emulation and says yes on a T4; from compute capability 8.0 on it is real.
        return Hardware("cuda", properties.name, properties.total_memory, properties.major >= 8)
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return Hardware("cpu", f"{torch.get_num_threads()} CPU threads", psutil.virtual_memory().total, native)


def has_macs_gpu() -> bool:
    """Whether ``DEVICE=mps`` would find one."""
    import torch

    return torch.backends.mps.is_available()


def choose_precision(policy: str, hardware: Hardware) -> tuple[str, str]:
    """(precision, reason): "bfloat16", "float16" or "float32" for a profile's policy, which may be "auto".

    ``auto`` takes bfloat16 where it is native, float16 on other CUDA GPUs, float32 elsewhere. float16 on a CPU would
    silently train in float32, so it is refused by name instead of being granted in name only; on a Mac's GPU it wasn't tried.

    A T4 (compute capability 7.5) thus computes in float16, whose narrow range needs the trainer's gradient scaler
    (``fp16=True``). Three things would break that, and the lessons avoid each: ``torch.cuda.is_bf16_supported()`` says yes
    there, since it counts emulation, so the capability is asked instead; TRL makes the adapters of quantized models
    bfloat16, which the scaler refuses, so lessons cast trained parameters back to float32 after building the trainer; and
    ``trl sft`` can't do that cast, so 4-bit training on a T4 stays in the notebook.
    """
    if policy not in ("auto", "bfloat16", "float16", "float32"):
        raise ValueError(f"PRECISION is {policy!r}; it is auto, bfloat16, float16 or float32")
    if policy == "float32":
        return "float32", "as the profile asks"
    if policy == "float16" and hardware.device != "cuda":
        return "float32", f"{'a CPU has no' if hardware.device == 'cpu' else 'nobody tried'} float16 training"
    if policy == "float16":
        return "float16", "as the profile asks"
    if hardware.native_bf16:
        return "bfloat16", f"native on {hardware.name}"
    if hardware.device == "cuda":
        return "float16", f"{hardware.name} has no native bfloat16"
    return "float32", f"{hardware.name}: no native bfloat16"


def choose_profile(hardware: Hardware) -> tuple[str, str]:
    """(profile, reason): ``gpu`` from 20 GB and native bfloat16 on, ``t4`` for smaller GPUs, ``tiny`` without one."""
    if hardware.device != "cuda":
        return "tiny", "no CUDA GPU here, so the embedded model and data on the CPU"
    size = f"{hardware.name} with {hardware.memory_bytes / 1e9:.0f} GB"
    if hardware.native_bf16 and hardware.memory_bytes >= 20e9:
        return "gpu", f"{size} and native bfloat16"
    if hardware.memory_bytes >= 12e9:
        return "t4", f"{size}" + ("" if hardware.native_bf16 else ", no native bfloat16")
    return "tiny", f"{size} is too small for SmolVLM2-2.2B in 4 bit with a margin"


def choose_workers(policy: int | str, device: str) -> tuple[int, str]:
    """(processes, reason): how many load data beside a model on ``device``, for a profile's policy, which may be "auto".

    ``auto`` takes the cores that are left, at most four, and none beside a model on the CPU. Batches come over in shared
    memory, of which a container has 64 MB unless it is told otherwise; four charts of 13 tiles are 92 MB.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # or each forked process says that it switches it off
    if policy != "auto":
        return int(policy), "as the profile asks"
    if device == "cpu":
        return 0, "on a CPU the model itself takes all cores"
    shared = shutil.disk_usage("/dev/shm").free if os.path.isdir("/dev/shm") else None
    if shared is not None and shared < _SHARED_BYTES:
        return 0, f"{shared / 1e6:.0f} MB of shared memory are too few to hand batches over: docker's --shm-size=2g gives more"
    return min(_MOST_WORKERS, free_cores() - 1), f"{free_cores()} cores here, and one is for the training itself"


def spare_workers(device: str) -> int:
    """The same for an evaluation, which needs processes for a short time: none where they aren't forked at once."""
    return choose_workers("auto", device)[0] if sys.platform == "linux" else 0


def free_cores() -> int:
    """The cores that this process may use: in a container or a queue's job fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
