"""Whether two values mean the same, and where two that should are apart."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import takewhile
from numbers import Real

from helpers.exercises.learner import short


def same(given, expected, tolerance: float = 1e-6) -> bool:
    """Equal values; numbers within ``tolerance``; sequences and mappings by what they hold, arrays and tensors by theirs."""
    given = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(expected, bool) or expected is None or isinstance(expected, str):
        return type(given) is type(expected) and given == expected
    if isinstance(expected, Real):
        number = as_number(given)
        return number is not None and math.isclose(number, expected, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(expected, Mapping):
        return isinstance(given, Mapping) and given.keys() == expected.keys() and all(
            same(given[key], expected[key], tolerance) for key in expected
        )  # fmt: skip
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != len(expected):
        return False
    return all(same(a, b, tolerance) for a, b in zip(given, expected, strict=True))


def as_number(value) -> float | None:
    """A finite number that is not a bool, from Python, NumPy or a tensor of one element."""
    if hasattr(value, "item") and not isinstance(value, Real):
        try:
            value = value.item()
        except (RuntimeError, ValueError):  # more than one element
            return None
    if isinstance(value, bool) or not isinstance(value, Real | Decimal) or not math.isfinite(value):
        return None
    return float(value)


def apart(given, expected, place: str = "") -> str:
    """Where two values first differ, and what stands there in both: texts that are long, and cut, may look alike."""
    if isinstance(given, Mapping) and isinstance(expected, Mapping) and given.keys() == expected.keys():
        steps = list(expected)
    elif _is_list(given) and _is_list(expected) and len(given) == len(expected):
        steps = range(len(expected))
    else:
        steps = ()
    for step in steps:
        if not same(given[step], expected[step]):
            return apart(given[step], expected[step], f"{place}[{step!r}]")
    where = f"at {place}" if place else "as a whole"
    if isinstance(given, str) and isinstance(expected, str):
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(given, expected, strict=False))
        begin = sum(1 for _ in alike)
        where = f"{where} from character {begin} on" if place else f"from character {begin} on"
        given, expected = given[begin:], expected[begin:]
    return f"{where}: there is {short(given)}; it is {short(expected)}"


def _is_list(value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
