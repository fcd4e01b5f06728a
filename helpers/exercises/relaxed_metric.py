"""ChartQA's metric as an exercise: the right function, one with a thing done otherwise, cases that tell them apart."""

from helpers.exercises.checks import Case


def relaxed_match(prediction, target):
    from helpers.evaluation import relaxed_match  # here: it needs torch and datasets, which take seconds to import

    return relaxed_match(prediction, target)


def match_otherwise(
    prediction,
    target,
    *,
    clean=str,
    percent=True,
    within=lambda p, t: abs(p - t) / abs(t) <= 0.05,
    zero=False,
    fold=str.lower,
    equal=str.__eq__,
):
    """Relaxed matching with one thing done otherwise."""

    def number(text):
        try:
            return float(text.rstrip("%")) / 100 if percent and text.endswith("%") else float(text)
        except ValueError:
            return None

    p, t = number(clean(prediction)), number(clean(target))
    if p is not None and t is not None and (t or zero):
        return within(p, t) if t else p == t
    return equal(fold(clean(target)), fold(clean(prediction)))


_NUMBERS = "Both are numbers: within 5 % of the target is right."
_OF_THE_TARGET = "5 % of the target: nothing is divided by the prediction, which may be 0."
_ZERO = "A target of 0 has no 5 %: it is compared as text."
_PERCENT = "A number that ends with % is a hundredth of what stands there."
_TEXT = "What is no number must be equal, but for case."
_NOT_STRIPPED = "Nothing is removed from a text: not its full stop, not its thousands comma."
CASES = [
    Case(("104", "100"), _NUMBERS),
    Case(("10.5", "10"), _NUMBERS),
    Case(("106", "100"), _NUMBERS),
    Case(("94", "100"), _NUMBERS),
    Case(("100", "105.2"), _OF_THE_TARGET),
    Case(("105.2", "100"), _OF_THE_TARGET),
    Case(("0", "5"), _OF_THE_TARGET),
    Case(("-96", "-100"), _NUMBERS),
    Case(("96", "-100"), _NUMBERS),
    Case(("Chile", "chile"), _TEXT),
    Case(("Chile", "China"), _TEXT),
    Case(("the answer is 12", "12"), _TEXT),
    Case(("0", "0"), _ZERO),
    Case(("0.0", "0"), _ZERO),
    Case(("38%", "38"), _PERCENT),
    Case(("0.38", "38%"), _PERCENT),
    Case(("1,000", "1000"), _NOT_STRIPPED),
    Case(("Yes.", "Yes"), _NOT_STRIPPED),
    Case(("1920", "2015"), "Years are ordinary numbers to this metric."),
    Case(("", "5"), _TEXT),
]
