"""What the learner wrote: their names and functions, what they left open, and the errors that are theirs."""

import copy
import dis
import traceback
from collections.abc import Callable, Mapping
from types import FunctionType

# All that a function does whose body is `...`, `pass` or a docstring.
_NOTHING = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "CACHE"}


class LearnersError(Exception):
    """An exception of the learner's own code. Its text names it, the call that raised it, and the line."""


def value_of(namespace: Mapping, name: str):
    """The learner's value, or None where the blank still stands, nothing was written, or the cell was not run."""
    value = namespace.get(name)
    return None if value is ... else value


def is_blank(function) -> bool:
    """Whether a function's body is still the blank."""
    if not isinstance(function, FunctionType):
        return False
    steps = list(dis.get_instructions(function))
    returned = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return {step.opname for step in steps} <= _NOTHING and set(map(type, returned)) <= {type(None), type(...)}


def call(function: Callable, arguments: tuple, name: str):
    """``function(*arguments)`` on copies, which it may change. LearnersError if it raises; NotImplementedError passes."""
    arguments = copy.deepcopy(arguments)
    shown = call_text(name, arguments)
    try:
        return function(*arguments)
    except NotImplementedError:
        raise
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        where = f", line {line.lineno}" + (f": {line.line}" if line.line else "")
        raise LearnersError(f"your code raised {type(error).__name__}: {error}\nin {shown}{where}") from error


def call_text(name: str, arguments: tuple) -> str:
    return f"{name}({', '.join(map(short, arguments))})"


def short(value, limit: int = 160) -> str:
    """A value as text that fits a message."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= limit else text[: limit - 4] + " ..."
