"""What a lesson would download, said before it does: bytes, where to, and whether the disk has room for them."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import constants

from helpers.hub import DATA_FILES, MODEL_FILES, is_hub_id, missing_bytes
from helpers.paths import resolve

_WHAT = {"MODEL": ("model", MODEL_FILES), "DATASET": ("dataset", DATA_FILES), "PREFERENCES": ("dataset", DATA_FILES)}


def needs_hub(name: str | None) -> bool:
    """Whether a model or data set of that name has to come from the hub."""
    return name is not None and name != "embedded" and not resolve(name).exists()


def to_download(parameters: Mapping) -> dict[str, int]:
    """Bytes by hub id, of those of a lesson's ``parameters`` that are on the hub and not in the cache.

    The files' sizes are the hub's own. Empty where it can't be asked.
    """
    asked = {name: parameters.get(name) for name in _WHAT}
    found = {}
    for name, value in asked.items():
        if value is not None and needs_hub(value) and is_hub_id(value) and (size := missing_bytes(value, *_WHAT[name])):
            found[value.partition("@")[0]] = size
    return found


def say_downloads(parameters: Mapping) -> None:
    """One line if something has to be downloaded: what, how much, and what the disk has."""
    sizes = to_download(parameters)
    if not sizes:
        return
    place = Path(constants.HF_HOME)
    free = shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free
    each = ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in sizes.items())
    print(f"to be downloaded first, once: {each}; {free / 1e9:.1f} GB are free where {place} is", flush=True)
    if free < sum(sizes.values()):
        print("  that is too little: make room there, or set HF_HOME to a folder on a larger disk")
