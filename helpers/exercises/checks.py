"""The kinds of checks. Each judges what the learner wrote by what it does, and names the mistake that is most likely behind it.

A check is given the notebook's names and returns a :class:`Result`. Nothing is computed before it is asked: importing an
exercise loads no model, and no answer stands in the notebook.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helpers.exercises.causes import CAUSES
from helpers.exercises.compare import apart, as_number, same
from helpers.exercises.learner import LearnersError, call, call_text, is_blank, short, value_of
from helpers.exercises.result import Result, not_attempted, right, wrong

# How far apart two figures are that mean the same in other units.
_UNIT_SLIPS = (
    (8, "it is off by a factor of 8: bits or bytes?"), (100, "it is off by a factor of 100: per cent or a share?"),
    (1e3, "it is off by a factor of 1,000: mind the unit"), (1e6, "it is off by a factor of a million: mind the unit"),
    (1e9, "it is off by a factor of a billion: mind the unit"),
    (2**30 / 1e9, "that is off by 7 %: GiB (2**30 bytes) or GB (a billion)?"),
)  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A figure with a unit. ``tolerance``: relative. ``mistakes``: figures that a known mistake leads to, with its name."""

    name: str
    true: Callable[[], float]
    unit: str
    why: str
    tolerance: float = 1e-9
    mistakes: Callable[[], Mapping[float, str]] = dict

    def judge(self, namespace: Mapping) -> Result:
        value = value_of(namespace, self.name)
        if value is None:
            return not_attempted(f"give {self.name} a number, in {self.unit}, and run its cell")
        number = as_number(value)
        if number is None:
            return wrong(f"{self.name} is {short(value)}; it is one number, in {self.unit}, without quotes")
        true = self.true()
        if self._same(number, true):
            return right(self.why)
        for figure, message in self.mistakes().items():
            if self._same(number, figure):
                return wrong(message)
        for factor, message in _UNIT_SLIPS:
            if self._same(number, true * factor) or self._same(number, true / factor):
                return wrong(message)
        side = "large" if number > true else "small"
        far = true and not 0.5 < number / true < 2
        return wrong(f"{short(number)} {self.unit} is too {side}" + (", by more than a factor of 2" if far else ""))

    def _same(self, a: float, b: float) -> bool:
        return math.isclose(a, b, rel_tol=self.tolerance, abs_tol=1e-12)


@dataclass(frozen=True)
class Case:
    """Arguments that the learner doesn't see. ``note``: what it means if the function fails here."""

    arguments: tuple
    note: str = ""


@dataclass(frozen=True)
class Function:
    """A function, judged against ``reference`` on ``cases``. ``mistakes``: functions that make one, each with its name.

    ``form``: brings what may be written in several ways into one.
    """

    name: str
    reference: Callable
    cases: Sequence[Case]
    why: str
    mistakes: Sequence[tuple[Callable, str]] = ()
    tolerance: float = 1e-6
    form: Callable[[Any], Any] = lambda value: value

    def judge(self, namespace: Mapping) -> Result:
        function = value_of(namespace, self.name)
        if function is None or is_blank(function):
            return not_attempted(f"write the body of {self.name} and run its cell")
        if not callable(function):
            return wrong(f"{self.name} is {short(function)}, not a function: keep the line that begins with def")
        given = []
        for case in self.cases:
            try:
                given.append(self.form(call(function, case.arguments, self.name)))
            except NotImplementedError:
                return not_attempted(f"{self.name} still raises NotImplementedError")
            except LearnersError as error:
                return wrong(f"{error}\n{case.note}" if case.note else str(error))
        expected = [self.form(self.reference(*case.arguments)) for case in self.cases]
        if self._agree(given, expected):
            return right(self.why)
        if all(value is None for value in given) and expected[0] is not None:
            return wrong(f"{self.name} returned None: is there a return statement?")
        for mistaken, message in self.mistakes:
            if self._agree(given, [self.form(_or_none(mistaken, case.arguments)) for case in self.cases]):
                return wrong(message)
        at = next(i for i in range(len(given)) if not same(given[i], expected[i], self.tolerance))
        shown, wanted = short(given[at]), short(expected[at])
        if shown.endswith(" ...") and wanted.endswith(" ..."):  # they may be cut before they differ
            found = f"{call_text(self.name, self.cases[at].arguments)} is not right {apart(given[at], expected[at])}"
        else:
            found = f"{call_text(self.name, self.cases[at].arguments)} returned {shown}; it is {wanted}"
        return wrong(f"{self.cases[at].note}\n{found}" if self.cases[at].note else found)

    def _agree(self, some: Sequence, others: Sequence) -> bool:
        return all(same(a, b, self.tolerance) for a, b in zip(some, others, strict=True))


@dataclass(frozen=True)
class Value:
    """Anything else. ``problem``: given the value, says what is wrong with it, or None. ``untouched``: how it was handed out.

    What ``problem`` raises is shown as the learner's own: it tries what they wrote.
    """

    name: str
    problem: Callable[[Any], str | None]
    why: str
    untouched: Any = None

    def judge(self, namespace: Mapping) -> Result:
        value = value_of(namespace, self.name)
        if value is None or (self.untouched is not None and value == self.untouched) or is_blank(value):
            return not_attempted(f"change {self.name} and run its cell")
        try:
            problem = self.problem(value)
        except NotImplementedError:
            return not_attempted(f"{self.name} still raises NotImplementedError")
        except LearnersError as error:
            return wrong(str(error))
        except Exception as error:  # the libraries refuse what the learner wrote
            return wrong(f"{self.name} = {short(value)}\nraised {type(error).__name__}: {error}")
        return right(self.why) if problem is None else wrong(problem)


@dataclass(frozen=True)
class Diagnosis:
    """Why a run went wrong, with a figure as evidence: the learner's ``<run>_cause`` and ``<run>_evidence``.

    ``others``: causes that one may think of, with what speaks against them. ``evidence``: the check of that name. ``asks``:
    what the evidence is, where the notebook can't say it without giving the cause away.
    """

    run: str
    cause: str
    others: Mapping[str, str]
    evidence: Number | Value
    why: str
    asks: str = ""

    def judge(self, namespace: Mapping) -> Result:
        said = value_of(namespace, f"{self.run}_cause")
        if said is None:
            return not_attempted(f"choose {self.run}_cause from the list, and run its cell")
        if said not in CAUSES:
            return wrong(f"{short(said)} is none of the causes: they are {'; '.join(CAUSES)}")
        if said != self.cause:
            return wrong(self.others.get(said, f"{said}: nothing in these figures points to it"))
        found = self.evidence.judge(namespace)
        if not found:
            what = "now the evidence: " if found.outcome != "not attempted" else "and the evidence? "
            return wrong(f"the cause fits; {what}" + (f"{self.asks}\n" if self.asks else "") + found.message)
        return right(self.why)


def _or_none(function: Callable, arguments: tuple):
    try:
        return function(*arguments)
    except Exception:  # this mistake can't be made on these arguments
        return None
