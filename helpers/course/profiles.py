"""The three sizes of the course. A profile is a flat YAML of notebook parameters: data, never a branch in a lesson."""

import re

import yaml

from helpers.models import choose_profile, detect
from helpers.paths import PROFILES

NAMES = ("tiny", "t4", "gpu")


def load_profile(name: str) -> dict:
    """The parameters of ``notebooks/profiles/<name>.yaml``. ValueError for an unknown name or a number read as text."""
    if name not in NAMES:
        raise ValueError(f"no profile is called {name!r}; there are auto, {', '.join(NAMES)}")
    values = yaml.safe_load((PROFILES / f"{name}.yaml").read_text(encoding="utf-8"))
    for key, value in values.items():
        if isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value, re.IGNORECASE):
            raise ValueError(f"{name}.yaml: {key} is the text {value!r}; YAML wants a point in it (1.0e-4) to read a number")
    return values


def pick_profile(name: str) -> tuple[str, str]:
    """(profile, reason); ``auto`` looks at the machine."""
    if name == "auto":
        return choose_profile(detect())
    load_profile(name)
    return name, "as asked"


def fill_parameters(given: dict) -> dict:
    """The values for those of a notebook's parameters that are still None, from the profile that ``given["PROFILE"]`` names.

    Says in one line which profile it is and why. Call it as ``globals().update(fill_parameters(globals()))``.
    """
    name, reason = pick_profile(given["PROFILE"])
    print(f"profile {name}: {reason}")
    values = load_profile(name)
    return {key: value for key, value in values.items() if key == "PROFILE" or (key in given and given[key] is None)}
