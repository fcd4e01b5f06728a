"""What a learner gets back: an outcome with a message, a hint, a solution; readable in a notebook and in a terminal."""

import html
from dataclasses import dataclass

NOT_ATTEMPTED, WRONG, RIGHT = OUTCOMES = ("not attempted", "wrong", "right")
# Okabe and Ito's orange and blue, told apart by colour-blind readers too; the outcome is said in words beside it.
_COLOURS = {NOT_ATTEMPTED: "#999999", WRONG: "#E69F00", RIGHT: "#0072B2"}


@dataclass(frozen=True, repr=False)
class Result:
    """``outcome``: one of ``OUTCOMES``. ``message``: what to look at, or why it matters. True as a condition only if right."""

    outcome: str
    message: str

    def __post_init__(self):
        if self.outcome not in OUTCOMES:
            raise ValueError(f"the outcome is {self.outcome!r}; it is one of {', '.join(OUTCOMES)}")

    def __bool__(self) -> bool:
        return self.outcome == RIGHT

    def __str__(self) -> str:
        return f"{self.outcome}: {self.message}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        text = html.escape(self.message).replace("\n", "<br>")
        style = f"border-left: 6px solid {_COLOURS[self.outcome]}; padding: 0.3em 0.8em"
        return f'<div style="{style}"><b>{self.outcome.capitalize()}.</b> {text}</div>'


class Text(str):
    """Words that a notebook shows as Markdown and a terminal as they are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)


def wrong(message: str) -> Result:
    return Result(WRONG, message)


def right(why: str) -> Result:
    return Result(RIGHT, why)


def not_attempted(what: str) -> Result:
    return Result(NOT_ATTEMPTED, what)
