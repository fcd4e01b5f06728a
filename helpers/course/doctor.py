"""Look at this machine as the course would: what is installed, what is there to compute with, and what each profile would do.

Whatever is broken is a line of the table, never the end of it: this is what a bug report asks for. Secrets aren't shown.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from helpers.paths import ROOT

_TIMEOUT_SECONDS = 5


def examine() -> str:
    """The table, as plain text."""
    lines = []
    for title, section in (
        ("versions", _versions),
        ("machine", _machine),
        ("hub", _hub),
        ("profiles: what each would do here", _profiles),
    ):
        lines += ["", title, *(f"  {name:18} {what}" for name, what in _rows(section))]
    return "\n".join(lines[1:])


def _rows(section: Callable[[], Iterator[tuple[str, str]]]) -> Iterator[tuple[str, str]]:
    try:
        yield from section()
    except Exception as error:  # whatever is wrong here is what the reader of the report wants to see
        yield "!", f"{type(error).__name__}: {error}"


def _versions() -> Iterator[tuple[str, str]]:
    """Python and the course's packages; "!" marks those outside of pyproject.toml's ranges."""
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    yield "in", "the course's .venv" if sys.prefix == str(ROOT / ".venv") else "another environment than the course's .venv"
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]:
        name = re.match(r"[\w-]+", line)[0]
        try:
            found = version(name)
        except PackageNotFoundError:
            yield name, "! not installed: make setup"
            continue
        from packaging.requirements import Requirement

        wanted = Requirement(line).specifier
        yield name, found if wanted.contains(found, prereleases=True) else f"! {found}, the course needs {wanted}: make setup"


def _machine() -> Iterator[tuple[str, str]]:
    import psutil

    from helpers.models import MACS_GPU, choose_precision, detect, has_macs_gpu

    hardware = detect()
    precision, reason = choose_precision("auto", hardware)
    memory = psutil.virtual_memory()
    yield "device", f"{hardware.device}: {hardware.name}"
    yield "device memory", f"{hardware.memory_bytes / 1e9:.1f} GB"
    if has_macs_gpu():
        yield "a Mac's GPU", MACS_GPU
    yield "precision", f"{precision} ({reason})"
    yield "main memory", f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    yield "disk", f"{shutil.disk_usage(ROOT).free / 1e9:.1f} GB free where the course is"


def _hub() -> Iterator[tuple[str, str]]:
    from huggingface_hub import constants, get_token

    from helpers.course.profiles import load_profile

    repository, _, revision = load_profile("gpu")["MODEL"].partition("@")
    shown = re.sub(r"//[^/@]*@", "//", constants.ENDPOINT)  # an address may hold a password
    if constants.HF_HUB_OFFLINE:
        yield shown, "not asked: HF_HUB_OFFLINE is set"
    else:
        yield shown, _reach(f"{shown}/{repository}/resolve/{revision}/config.json")
    yield "token", "set (not shown here); the course needs none" if get_token() else "none; the course needs none"
    cache = Path(constants.HF_HUB_CACHE)
    yield "cache", f"{cache.relative_to(ROOT)} in the repository" if cache.is_relative_to(ROOT) else str(cache)


def _reach(address: str) -> str:
    """Whether the hub answers, asked without a token."""
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=_TIMEOUT_SECONDS):
            return f"serves the profiles' model; answered in {time.perf_counter() - began:.1f} s"
    except urllib.error.HTTPError as error:
        return f"! answers, but not with the profiles' model: {error.code} {error.reason}"
    except OSError as error:
        return (
            f"! not reached: {getattr(error, 'reason', error)}. Only the profile tiny works without it, or what is in the cache"
        )


def _profiles() -> Iterator[tuple[str, str]]:
    from helpers.course.profiles import NAMES, load_profile
    from helpers.memory import weight_bytes
    from helpers.models import choose_precision, choose_profile, detect

    chosen, reason = choose_profile(detect())
    yield "auto", f"takes {chosen}: {reason}"
    for name in NAMES:
        values = load_profile(name)
        hardware = detect(values["DEVICE"])
        precision, why = choose_precision(values["PRECISION"], hardware)
        stored = {"none": precision, "8bit": "int8", "4bit": "nf4-double-quant"}[values["QUANTIZATION"]]
        weights = weight_bytes("embedded" if values["MODEL"] == "embedded" else values["PLAN_MODEL"], stored).total
        room = hardware.memory_bytes
        yield name, f"{values['MODEL'].partition('@')[0]}, {_source('model', values['MODEL'])}"
        yield "", f"{values['DATASET'].partition('@')[0]}, {_source('dataset', values['DATASET'])}"
        yield "", f"computes in {precision} ({why}) on {hardware.device}; quantization {values['QUANTIZATION']}"
        yield "", f"{'' if weights < room else '! '}weights of {weights / 1e6:,.0f} MB on a device with {room / 1e6:,.0f} MB"
        if hardware.device == "cpu" and name != "tiny":
            yield "", "made for a GPU, and there is none: it would run on the CPU, far too slowly to be of use"


def _source(kind: str, name: str) -> str:
    """Where a profile's model or data would come from."""
    from helpers.hub import DATA_FILES, MODEL_FILES, verified_copy

    if name == "embedded":
        return "part of the course"
    copy = verified_copy(name, kind, MODEL_FILES if kind == "model" else DATA_FILES)
    return "in the cache, verified" if copy else "not in the cache: to be downloaded from the hub"
