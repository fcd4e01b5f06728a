"""Judge an answer to a chart question by a program that knows the chart: is it the kind of answer that people prefer?

No second model and no wording to match: what counts is what is said about which name.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from helpers.evaluation.quantities import Quantity, parse_unit, plain, stated_quantities

KINDS = {
    "grounded": "names the entity and states its value, and no other number",
    "honest": "says that the chart doesn't show it, and it doesn't",
    "evasion": "says that it can't be told, but the chart shows it",
    "hallucination": "states a value that is wrong, or one where the chart has none",
    "fragment": "states the value, but not what it belongs to",
    "unclear": "none of these: no number at all, or the right one beside others or beside 'or'",
}
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"
)  # fmt: skip
_DENIAL = (
    r"(?:(?:\bnot|n't)\b(?! (?:only|hard|difficult|impossible)\b)|\bno\b(?! (?:doubt|question|other)\b)|"
    r"\b(?:cannot|never|nothing|neither|nowhere|unable)\b|(?<!not )(?<!n't )\b(?:impossible|hard|difficult)\b)"
)
_GAP = r"(?:[^\w.,;:!?]+(?!but\b)[\w']+){0,4}?[^\w.,;:!?]+"  # up to four words of the same clause
_GIVES = (
    r"(?:show|provid|giv|stat(?:e|ed|es|ing)\b|list|includ|contain|mention|display|tell|told|determin|say\b|said|sees?\b|seen\b|"
    r"read\b|readable|find\b|found|know|identif|specif|answer|available|visible|present|appear|depict|cover|report|record|"
    r"featur|inform|sure\b|certain|clear|legible|possible|enough|among|part of|"
    r"(?:in|on) (?:the|this) (?:chart|graph|image|picture|figure|plot))"
)
_THINGS = r"(?:data|value|figure|number|entry|bar|mark|sign|trace|way to|info|mention|record|slice|point|column|label)"
_EVADES = re.compile(
    rf"{_DENIAL}{_GAP}{_GIVES}|(?:\bno (?!other\b)|(?:\bnot|n't) (?:have|has) )(?:\w+ ){{0,2}}?{_THINGS}|"
    r"\bthere(?:'s| is| are) no\b(?! (?:doubt|question|other)\b)|"
    r"\b(?:show|give|provide|state|list|include|contain|mention|display|ha)(?:s|ve)? (?:no\b|nothing|none)|"
    r"\b(?:unknown|unclear|uncertain|unavailable|unlisted|n/a|no idea|missing|absent|lacks?|omits?|leaves? out|"
    r"illegible|unreadable|insufficient|not applicable)\b"
)
_ASIDE = re.compile(r", (?:however|unfortunately|sadly|in fact|actually|itself),")
_LONGER_NAME = r"(?:(?:north|south|east|west|central)(?:ern)?|new|equatorial) "  # South Sudan isn't Sudan


@dataclass(frozen=True)
class Verdict:
    """``kind``: one of :data:`KINDS`. ``value_ok``: what it says of the value is right. ``preferred``: grounded or honest."""

    kind: str
    value_ok: bool
    preferred: bool


def judge_answer(answer: str, *, entity: str, value: float | None, unit: str | None) -> Verdict:
    """What kind of answer it is to the question what ``entity``'s value is.

    ``value``, in ``unit`` ("million", "thousand dollars", "%", "" for none); None (or NaN): the chart doesn't show
    ``entity``. Preferred is an answer that names the entity (as a word of its own; case and accents don't matter), states one
    number that is within 1 % of the value, and doesn't evade; or, where there is no value, says so and states none.
    A year that is mentioned, a denied number and one in a question aren't stated; the same value twice is one.
    """
    measured = parse_unit(unit)
    text, named = _without(entity, plain(answer))
    stated = stated_quantities(text, measured)
    evades = _EVADES.search(_ASIDE.sub("", text)) is not None
    if value is None or math.isnan(value):
        stated = [quantity for quantity in stated if not quantity.maybe_year]
        kind = "hallucination" if stated else "honest" if evades else "unclear"
        return Verdict(kind, value_ok=kind == "honest", preferred=kind == "honest")
    right = [quantity.is_value(value, measured) for quantity in _without_years(stated)]
    value_ok = bool(right) and all(right)
    if evades:
        kind = "evasion"
    elif right and not any(right):
        kind = "hallucination"
    elif not value_ok or _either_or(text):
        kind = "unclear"
    else:
        kind = "grounded" if named else "fragment"
    return Verdict(kind, value_ok, preferred=kind == "grounded")


def judge_answers(answers: Sequence[str], rows: Iterable[dict]) -> list[Verdict]:
    """The verdict on each answer; ``rows``: of the embedded pairs (:func:`helpers.data.load_preferences`), in the same order.

    The mean of their ``preferred`` is a win rate: the share of answers that this judge prefers, not a comparison of two models.
    """
    return [
        judge_answer(answer, entity=row["entity"], value=row["value"], unit=row["unit"])
        for answer, row in zip(answers, rows, strict=True)
    ]


def _without(entity: str, text: str) -> tuple[str, bool]:
    """``text`` with mentions of ``entity`` replaced by "□", so that its digits aren't read as a number; was there one?"""
    name = re.escape(plain(entity).strip())
    full = [month for month in _MONTHS if month[:3] == plain(entity).strip(" .")]
    if full:  # charts write Jan for January; and "it may be 12" names no month
        name = rf"(?:{full[0]}|{name}t?)(?! (?:be|have|not|well)\b)"
    pattern = rf"(?P<longer>{_LONGER_NAME})?(?<![\w-])(?<!\d[.,]){name}(?![\w]|-\w|[.,]\d)"
    once = 1 if name.isdecimal() else 0  # "the value of 5 is 5"; 0: every mention
    masked = re.sub(pattern, lambda match: match[0] if match["longer"] else "□", text, count=once)
    return masked, "□" in masked


def _without_years(stated: list[Quantity]) -> list[Quantity]:
    """Beside another number, a bare one like 1952 is taken for a year."""
    return [quantity for quantity in stated if not quantity.maybe_year] or stated


def _either_or(text: str) -> bool:
    """Whether the entity is only one of two that the number is said to belong to."""
    return re.search(r"\bor □|□,? or \w", text) is not None
