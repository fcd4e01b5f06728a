"""Precision and profile follow from what the hardware natively has; capabilities are faked here."""

import os
from types import SimpleNamespace

import nbformat
import pytest
import torch

from helpers.course import check_value, find_lessons, load_profile
from helpers.models import (
    Hardware,
    choose_precision,
    choose_profile,
    detect,
    in_processes,
    processes,
    quantization_config,
)

T4 = Hardware("cuda", "Tesla T4", int(15.8e9), native_bf16=False)
L4 = Hardware("cuda", "NVIDIA L4", int(23.7e9), native_bf16=True)
SMALL = Hardware("cuda", "GTX 1650", int(4e9), native_bf16=False)
OLD_CPU = Hardware("cpu", "2 CPU threads", int(8e9), native_bf16=False)
MAC = Hardware("mps", "the Mac's GPU", int(12e9), native_bf16=False)
NEW_CPU = Hardware("cpu", "8 CPU threads", int(64e9), native_bf16=True)


@pytest.mark.parametrize(
    ("policy", "hardware", "expected"),
    [
        ("auto", T4, "float16"),  # is_bf16_supported() says yes on a T4: it emulates
        ("auto", L4, "bfloat16"),
        ("auto", OLD_CPU, "float32"),
        ("auto", NEW_CPU, "bfloat16"),
        ("bfloat16", T4, "float16"),
        ("bfloat16", OLD_CPU, "float32"),
        ("float16", NEW_CPU, "float32"),  # fp16=True on a CPU silently trains in float32
        ("float16", L4, "float16"),
        ("float32", L4, "float32"),
        ("auto", MAC, "float32"),
        ("float16", MAC, "float32"),
        ("bfloat16", MAC, "float32"),
    ],
)
def test_precision(policy, hardware, expected):
    precision, reason = choose_precision(policy, hardware)
    assert precision == expected
    assert reason


def test_an_unknown_policy_says_what_is_possible():
    with pytest.raises(ValueError, match="auto, bfloat16, float16 or float32"):
        choose_precision("bf16", L4)


@pytest.mark.parametrize(
    ("hardware", "expected"), [(T4, "t4"), (L4, "gpu"), (SMALL, "tiny"), (OLD_CPU, "tiny"), (NEW_CPU, "tiny"), (MAC, "tiny")]
)
def test_profile(hardware, expected):
    name, reason = choose_profile(hardware)
    assert name == expected
    assert len(reason.splitlines()) == 1


def test_the_t4_profile_on_a_t4_computes_in_float16_on_4_bit_weights_and_trains_float32_adapters():
    """What the docstring of choose_precision says; the casts themselves are run in test_training."""
    profile = load_profile("t4")
    precision, reason = choose_precision(profile["PRECISION"], T4)
    assert (precision, reason) == ("float16", "Tesla T4 has no native bfloat16")
    quantized = quantization_config(profile["QUANTIZATION"], torch.float16)
    assert quantized.bnb_4bit_compute_dtype == torch.float16
    assert quantized.bnb_4bit_use_double_quant
    for lesson in find_lessons():
        source = "".join(cell.source for cell in nbformat.read(lesson.path, as_version=4).cells if cell.cell_type == "code")
        if "SFTTrainer(" in source and "QUANTIZATION" in lesson.parameters:
            assert "parameter.data = parameter.data.float()" in source, f"{lesson.name} would train bfloat16 adapters"


def test_capability_decides_on_cuda(monkeypatch):

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for major, native in ((7, False), (8, True), (9, True)):
        card = SimpleNamespace(name="card", total_memory=16_000_000_000, major=major)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index, card=card: card)
        assert detect() == Hardware("cuda", "card", 16_000_000_000, native)


def test_work_is_spread_over_the_cores_that_this_process_may_use(monkeypatch):
    """In a container or a queue's job the machine has more of them."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(processes, "free_cores", lambda: 2)
    monkeypatch.setattr(processes, "ProcessPoolExecutor", lambda workers, context: started.append(workers) or InThisOne())
    started = []

    class InThisOne:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, job):
            return SimpleNamespace(result=job)

    assert in_processes([list] * 8, "working", "job") == [[]] * 8
    assert in_processes([list], "working", "job") == [[]]
    assert in_processes([list] * 8, "working", "job", workers=3) == [[]] * 8
    assert started == [2, 1, 3]


def test_a_macs_gpu_is_taken_only_if_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12_000_000_000)
    assert detect().device == detect("cpu").device == "cpu"
    assert detect("mps") == MAC
    assert check_value("DEVICE", "mps") == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no GPU of a Mac"):
        detect("mps")
    with pytest.raises(ValueError, match="auto, cpu or mps"):
        detect("gpu")
