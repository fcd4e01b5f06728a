"""Score answers: ChartQA's relaxed accuracy with its published semantics, and how far to trust a score or a difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

LEVEL = 0.95  # of every interval


def relaxed_match(prediction: str, target: str | list[str]) -> bool:
    """Numbers within 5 % of the target, all else equal but for case; a list target matches if any element does.

    The semantics of pix2struct's ``relaxed_correctness`` (ChartQA paper, section 5.1), which lmms-eval uses too:
    nothing is stripped, "38%" is 0.38, a target of zero is compared as text, years are ordinary numbers.
    """
    if not isinstance(target, str):
        return any(relaxed_match(prediction, element) for element in target)
    predicted, true = _to_float(prediction), _to_float(target)
    if predicted is not None and true:
        return abs(predicted - true) / abs(true) <= 0.05
    return prediction.lower() == target.lower()


def relaxed_accuracy(predictions: Sequence[str], targets: Sequence[str | list[str]]) -> float:
    """Share of :func:`relaxed_match`, 0..1. ValueError if there is nothing to score or the lengths differ."""
    if len(predictions) != len(targets) or not len(targets):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} targets: need as many, and at least one")
    return float(np.mean([relaxed_match(p, t) for p, t in zip(predictions, targets, strict=True)]))


def _to_float(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def bootstrap_interval(scores: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Interval at ``LEVEL`` of the mean of ``scores``, from 2,000 redraws of the questions (percentile bootstrap)."""
    scores = np.asarray(scores, dtype=float)
    draws = np.random.default_rng(seed).integers(len(scores), size=(2000, len(scores)))
    low, high = np.quantile(scores[draws].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same questions. ``str()`` says it in a sentence.

    ``only_first``, ``only_second``: questions that one of them alone gets right; all the others say nothing about a
    difference. ``difference``: the second's accuracy less the first's, with its interval ``low`` to ``high``. ``p_value``: how
    often luck alone would divide these questions at least as unevenly, if both models were equally good.
    """

    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def verdict(self) -> str:
        """The second is "better" or "worse" than the first; "undecided" where the interval holds zero or p isn't below .05.

        With few questions the interval alone is too sure: of five that one model alone gets right, no redraw holds zero.
        """
        if self.p_value >= 0.05 or self.low <= 0 <= self.high:
            return "undecided"
        return "better" if self.difference > 0 else "worse"

    def __str__(self) -> str:
        return (
            f"difference {self.difference:+.3f} (95 % interval {self.low:+.3f} to {self.high:+.3f}); right alone: "
            f"{self.only_first} the first, {self.only_second} the second; p = {self.p_value:.2g}: {self.verdict}"
        )


def paired_test(first: Sequence[bool], second: Sequence[bool], seed: int = 0) -> PairedTest:
    """McNemar's test, exact (a sign test on the questions that one model alone gets right), two-sided.

    ``first``, ``second``: for the same questions in the same order, whether each model is right. ValueError if there are none
    or the lengths differ. (McNemar 1947, doi:10.1007/BF02295996; exact, because counts are small where models are close.)
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(
            f"{len(first)} scores beside {len(second)}: a paired test needs the same questions for both, at least one"
        )
    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    low, high = bootstrap_interval(second.astype(float) - first, seed)
    return PairedTest(
        only_first, only_second, float(second.mean() - first.mean()), low, high, _sign_test(only_first, only_second)
    )


def _sign_test(one: int, other: int) -> float:
    """How probable it is that ``one + other`` throws of a fair coin fall at least as unevenly."""
    count = one + other
    tail = sum(comb(count, k) for k in range(min(one, other) + 1))
    return min(1.0, 2 * tail / 2**count)
