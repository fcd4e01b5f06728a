"""Question kinds: what a chart question asks for, told from its words alone, so that it works for any data set."""

import re

QUESTION_KINDS = ("value by name", "value by place", "category", "extreme", "yes/no", "count", "difference")
_PLACE = re.compile(r"\b(highest|lowest|first|last|largest|smallest|maximum|minimum|most|least|leftmost|rightmost)\b")


def kind_of(question: str) -> str:
    """The kind of a question by its wording: one of ``QUESTION_KINDS``, or "other"."""
    text = question.strip().lower()
    if re.match(r"(is|are|was|were|does|do|did|has|have|can)\b", text):
        return "yes/no"
    if "difference" in text:
        return "difference"
    if re.match(r"how many\b", text):
        return "count"
    if re.match(r"(which|who|where|when|in which|in what year|what year|what country)\b", text):
        return "extreme" if _PLACE.search(text) else "category"
    if re.match(r"(what|how much|how)\b", text):
        return "value by place" if _PLACE.search(text) else "value by name"
    return "other"
