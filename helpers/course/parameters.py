"""Parameters have kinds: one table says what each is, and a value of another kind is refused before anything runs."""

import difflib
import math
import re
from functools import cache

import yaml

from helpers.paths import PROFILES

KINDS = PROFILES / "kinds.yaml"
_AUTO_OR = ("auto or whole", "auto or bool")
_ALSO_CALLED = {"cuda": "auto", "gpu": "auto"}  # a DEVICE: auto takes a CUDA GPU if there is one


@cache
def kinds() -> dict[str, str]:
    """The kind of every parameter, by its name."""
    return yaml.safe_load(KINDS.read_text(encoding="utf-8"))


def typed(text: str):
    """A ``--set`` value as papermill's ``-p`` types it: True, False, None, int, float (``1e-4`` too), else text."""
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def read_value(name: str, text: str):
    """The same, but for a parameter that is text: that one stays as it was written (``007``)."""
    return text if kinds().get(name) == "text" and text != "None" else typed(text)


def check_value(name: str, value):
    """``value`` as the kind of the parameter ``name`` has it: a number given for a text becomes text.

    None, and what the table doesn't name, stay as they are. ValueError says what was meant.
    """
    kind = kinds().get(name)
    if kind is None or value is None:
        return value
    if kind == "text" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not _fits(kind, value):
        meant = _meant(kind, value)
        raise ValueError(
            f"{name} is {value!r}; it is {_in_words(kind)}." + (f" Did you mean {meant!r}?" if meant is not None else "")
        )
    return value


def _fits(kind: str, value) -> bool:
    if kind.startswith(_AUTO_OR):
        return value == "auto" or _fits(kind.removeprefix("auto or "), value)
    if kind == "bool" or isinstance(value, bool):  # to Python, True is a whole number too
        return kind == "bool" and isinstance(value, bool)
    if _is_whole(kind):
        return isinstance(value, int) and value >= _least(kind) and not (kind.startswith("even") and value % 2)
    if kind == "number":
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, str) and (kind == "text" or value in _choices(kind))


def _meant(kind: str, value):
    """The value that is written almost like this one, if there is one."""
    text = str(value).strip()
    if kind.startswith(_AUTO_OR):
        return "auto" if text.lower() == "auto" else _meant(kind.removeprefix("auto or "), value)
    if kind == "bool":
        return {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}.get(
            text.lower()
        )
    if _is_whole(kind) or kind == "number":
        near = typed(text)
        near = int(near) if isinstance(near, float) and near.is_integer() else near
        return near if _fits(kind, near) else None
    text = _ALSO_CALLED.get(text.lower(), text.lower())
    near = difflib.get_close_matches(text, _choices(kind), n=1)
    return near[0] if near else None


def _is_whole(kind: str) -> bool:
    return kind.startswith(("whole from ", "even from "))


def _least(kind: str) -> int:
    return int(kind.split()[-1])


def _choices(kind: str) -> list[str]:
    return [] if kind == "text" else re.split(", | or ", kind.removeprefix("one of "))


def _in_words(kind: str) -> str:
    if kind == "auto or bool":
        return "auto, True or False"
    if kind.startswith(_AUTO_OR):
        return "auto or " + _in_words(kind.removeprefix("auto or "))
    if _is_whole(kind):
        return f"{'an even' if kind.startswith('even') else 'a whole'} number from {_least(kind)}"
    plain = {"bool": "True or False", "number": "a number", "text": "text"}
    return plain.get(kind) or ", ".join(_choices(kind)[:-1]) + f" or {_choices(kind)[-1]}"
