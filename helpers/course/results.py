"""Write a lesson's figures into results.json, beside those of the other lessons."""

import contextlib
import json
import math
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from helpers.course.profiles import load_profile
from helpers.models import Hardware, choose_precision
from helpers.paths import output_folder

_PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "accelerate")


def record(lesson: str, profile: str, hardware: Hardware, figures: dict, precision: str | None = None) -> Path:
    """Replace ``lesson``'s figures in ``results.json`` of the run's folder; returns the file.

    ``hardware``: what the lesson ran on. ``figures``: finite numbers or text by name. ``precision``: what it really
    computed in, which is not always what was asked for (on a CPU float16 is float32); by default what the profile's policy
    comes to on that hardware. ValueError names a figure that is NaN, infinite or of another kind.
    """
    clean = {name: _finite(name, value) for name, value in figures.items()}
    path = output_folder(profile) / "results.json"
    results = read_results(path)
    results["lessons"][lesson] = clean
    results["environment"] = environment(profile, hardware, precision)
    # Written whole and then renamed: a run that is killed leaves the old file, not half a file.
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(results, indent=1, allow_nan=False), encoding="utf-8")
    os.replace(part, path)
    return path


def read_results(path: Path) -> dict:
    """The results of a run so far; empty if there are none. ValueError if the file is damaged: nothing overwrites it then."""
    if not path.exists():
        return {"lessons": {}, "environment": {}}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        whole = isinstance(results["lessons"], dict) and isinstance(results["environment"], dict)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise ValueError(f"{path} is damaged: no figures of lessons. Move it away or delete it, then this command again")
    return results


def environment(profile: str, hardware: Hardware, precision: str | None = None) -> dict:
    """Versions, device, precision, profile and time, as text."""
    tested = precision or choose_precision(load_profile(profile)["PRECISION"], hardware)[0]
    return {
        "profile": profile, "device": hardware.device, "device_name": hardware.name, "precision_tested": tested,
        "time": datetime.now(UTC).isoformat(timespec="seconds"), "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }  # fmt: skip


def _finite(name: str, given) -> float | int | str:
    value = given
    if hasattr(given, "item"):  # numpy's or torch's
        with contextlib.suppress(ValueError, RuntimeError):  # of several numbers
            value = given.item()
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"the figure {name} is {given!r}: neither a number nor text")
    if not math.isfinite(value):
        raise ValueError(f"the figure {name} is {value}: something went wrong before it was recorded")
    return value
