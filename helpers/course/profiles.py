"""The three sizes of the course. A profile is a flat YAML of notebook parameters: data, never a branch in a lesson."""

import yaml

from helpers.course.downloads import say_downloads
from helpers.course.parameters import check_value, kinds
from helpers.models import choose_profile, detect
from helpers.paths import PROFILES

NAMES = ("tiny", "t4", "gpu")


def load_profile(name: str) -> dict:
    """The parameters of ``notebooks/profiles/<name>.yaml``. ValueError for an unknown name or a value of the wrong kind."""
    if name not in NAMES:
        raise ValueError(f"no profile is called {name!r}; there are auto, {', '.join(NAMES)}")
    values = yaml.safe_load((PROFILES / f"{name}.yaml").read_text(encoding="utf-8"))
    try:
        return {key: check_value(key, value) for key, value in values.items()}
    except ValueError as error:
        raise ValueError(f"{name}.yaml: {error} (To YAML, 1e-4 is text and 1.0e-4 a number.)") from error


def pick_profile(name: str) -> tuple[str, str]:
    """(profile, reason); ``auto`` looks at the machine."""
    if name == "auto":
        return choose_profile(detect())
    load_profile(name)
    return name, "as asked"


def examples_a_step(profile: str, batch_size: int | str, accumulation: int) -> int:
    """How many examples an optimizer step learns from: the two multiplied, or where ``batch_size`` is "auto" what the profile's
    own two come to, so that the same is learnt however many fit in memory at once."""
    if batch_size == "auto":
        values = load_profile(profile)
        batch_size, accumulation = values["BATCH_SIZE"], values["GRADIENT_ACCUMULATION"]
    return batch_size * accumulation


def fill_parameters(given: dict) -> dict:
    """The values for those of a notebook's parameters that are still None, from the profile that ``given["PROFILE"]`` names.

    And those that were given as a number where a text is meant, as text. Says in one line which profile it is and why, and in
    another what will have to be downloaded. Call it as ``globals().update(fill_parameters(globals()))``. ValueError for a value
    of another kind than its parameter's.
    """
    own = {key: check_value(key, given[key]) for key in kinds() if given.get(key) is not None}
    name, reason = pick_profile(given["PROFILE"])
    print(f"profile {name}: {reason}")
    changed = {key: value for key, value in own.items() if value != given[key]}
    profiles = {key: value for key, value in load_profile(name).items() if key in given and given[key] is None}
    say_downloads(own | profiles)
    return changed | profiles | {"PROFILE": name}
