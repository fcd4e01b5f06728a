"""Read the numbers that a sentence states: with scale words, separators, units, and without what isn't stated at all.

A year that is mentioned, an ordinal, a number that is denied and one that is only asked about are not statements.
"""

import functools
import re
import unicodedata
from dataclasses import dataclass

from num2words import num2words

_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9, "b": 1e9,
    "trillion": 1e12, "tn": 1e12,
}  # fmt: skip
# Words for units that are told apart; what isn't here ("rainy", "inches") is neither right nor wrong.
_UNITS = {
    "%": "%", "percent": "%", "per cent": "%", "percentage": "%", "$": "dollar", "usd": "dollar", "dollar": "dollar",
    "€": "euro", "eur": "euro", "euro": "euro", "£": "pound", "pound": "pound", "°": "degree", "°c": "degree", "c": "degree",
    "degree": "degree", "celsius": "degree", "°f": "fahrenheit", "fahrenheit": "fahrenheit", "year": "year", "month": "month",
    "week": "week", "day": "day", "hour": "hour", "minute": "minute", "people": "person", "person": "person",
    "inhabitant": "person", "resident": "person", "citizen": "person",
}  # fmt: skip
_NUMBER = re.compile(
    r"(?<![\w.])(?<![a-z]-)(?P<sign>-|minus |negative )?(?P<currency>[$€£]\s?)?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+(?!,?\d)|\d+)(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+)(?!(?:st|nd|rd|th)\b)(?![\d.]*\d)"
)
_SCALE = re.compile(r"(?:[\s-]*(hundred|thousand|million|billion|trillion)s?|\s?(mn|bn|tn)|(k|m|b))(?![\w])")
_UNIT = re.compile(r"[\s-]*(?:us )?(%|per ?cent\b|°\s?[cf]?\b|[a-z]+)")
_YEAR_COMES = re.compile(r"(?:\b(?:in|by|since|during|until|year|jan\w*|feb\w*|mar\w*|apr\w*|may|june?|july?|aug\w*|sep\w*"
                         r"|oct\w*|nov\w*|dec\w*)|\()\s*$")  # fmt: skip
_CLAUSE_END = re.compile(r"[;!?\n]|[,:.](?=\s|$)|\s-+\s|\b(?:but|and|while|whereas|although|though|however|which|because)\b")
_DENIED_BEFORE = re.compile(
    r"\bnot\b(?! only)|n't\b|\b(?:cannot|never|nor|neither|rather than|instead of|far from|untrue|wrong)\b"
)
_DENIED_AFTER = re.compile(
    r"n't\b|\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would) not\b(?! only)|"
    r"\b(?:cannot|wrong|incorrect|false|untrue)\b"
)


@dataclass(frozen=True)
class Unit:
    """``scale``: what a number of this unit is multiplied by (1e6 for "million"). ``names``: words as in :data:`_UNITS`."""

    scale: float
    names: frozenset[str]


@dataclass(frozen=True)
class Quantity:
    """A number as it is written, its scale word (1 if there is none) and its unit, where that is a known one."""

    number: float
    scale: float
    unit: str | None
    maybe_year: bool

    def is_value(self, value: float, unit: Unit) -> bool:
        """Whether it is within 1 % of ``value`` (of 0: equal to it).

        With a unit in millions, 28 is right as "28", "28 million", "28,000,000" and "28,000,000 people"; not as "28
        people" or "28 %".
        """
        if self.unit and unit.names and self.unit not in unit.names:
            return False
        if self.unit == "%" and "%" not in unit.names and unit.scale > 1:
            return False
        counted = self.unit is not None and unit.scale > 1
        readings = [self.number * self.scale / unit.scale]
        if self.scale == 1 and not counted:
            readings.append(self.number)
        return any(abs(reading - value) <= (0.01 + 1e-9) * abs(value) for reading in readings)


def plain(text: str) -> str:
    """Lower case, without accents and emphasis marks; one kind of dash, apostrophe and thousands separator."""
    text = re.sub(r"(?<![\d.,])\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?!\d)", lambda spaced: ",".join(spaced[0].split()), text)
    text = text.replace("US$", "$")
    text = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[*_`]", "", re.sub(r"[‐‑‒–—−]", "-", re.sub(r"[’‘ʼ]", "'", text)))


def parse_unit(unit: str | None) -> Unit:
    """ "thousand dollars" -> a scale of 1,000 and the name "dollar"."""
    words = re.findall(r"%|per cent|°\s?[cf]?|[$€£]|[^\W\d]+", plain(unit or ""))
    scale, names = 1.0, set()
    for word in words:
        singular = word.removesuffix("s").replace(" ", "") if word != "per cent" else word
        if singular in ("hundred", "thousand", "million", "billion", "trillion", "mn", "bn", "tn"):
            scale *= _SCALES[singular]
        else:
            names.add(_UNITS.get(singular, singular))
    return Unit(scale, frozenset(names))


def stated_quantities(text: str, unit: Unit) -> list[Quantity]:
    """The numbers that ``text``, made :func:`plain`, states, in its order. In metres, "28m" isn't 28 million."""
    text = _digits_for_words(text)
    found = []
    for match in _NUMBER.finditer(text):
        before, after, ends_with = _clause(text, match)
        if _DENIED_BEFORE.search(before) or _DENIED_AFTER.search(after) or ends_with == "?":
            continue
        scale, at = 1.0, match.end()
        while (word := _SCALE.match(text, at)) and word[3] not in unit.names:
            scale, at = scale * _SCALES[word[1] or word[2] or word[3]], word.end()
        word = _UNIT.match(text, at)
        written = (match["currency"] or (word[1] if word else "")).replace(" ", "")
        name = _UNITS.get(written.removesuffix("s"))
        number = float(match["digits"].replace(",", "")) * (-1 if match["sign"] else 1)
        plain_year = re.fullmatch(r"(1[5-9]|20)\d\d", match[0]) is not None and scale == 1 and name is None
        if not (plain_year and _YEAR_COMES.search(text, 0, match.start())):
            found.append(Quantity(number, scale, name, plain_year))
    return found


def _clause(text: str, match: re.Match) -> tuple[str, str, str]:
    """The clause before a match and after it, and what ends it."""
    start = max((end.end() for end in _CLAUSE_END.finditer(text, 0, match.start())), default=0)
    end = _CLAUSE_END.search(text, match.end())
    return text[start : match.start()], text[match.end() : end.start() if end else len(text)], end[0] if end else ""


def _digits_for_words(text: str) -> str:
    """ "twenty-eight million" -> "28 million". "One" stays a word: it is mostly a pronoun."""
    words, pattern = _number_words()
    return pattern.sub(lambda match: words[match[0].replace(" ", "-")], text)


@functools.cache
def _number_words() -> tuple[dict[str, str], re.Pattern]:
    words = {num2words(number): str(number) for number in range(100) if number != 1}
    spelt = sorted(words, key=len, reverse=True)
    return words, re.compile(r"(?<![\w-])(?:" + "|".join(spelt).replace("-", "[- ]") + r")(?![\w]|-[a-z])")
