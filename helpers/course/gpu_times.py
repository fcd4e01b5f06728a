"""How long a profile's training takes on a card that nobody measured: estimates, from the steps of one that was.

Method: the seconds of an example on the measured card, in the setting that the profile has on the other one, times the
profile's examples, times the ratio of the two cards' peak throughput in 16 bit. So it takes both cards to be equally well used
and never to wait for pictures. Its check is a published run on an L4 (:func:`published_check`).
"""

import json
from dataclasses import dataclass
from functools import cache

from helpers.paths import NOTEBOOKS

MEASURED = NOTEBOOKS / "measured" / "gpu_h200.json"


@dataclass(frozen=True)
class Card:
    """``tflops``: dense 16-bit matrix products a second, in 10^12, of the maker's data sheet. ``memory_gb``: of the card."""

    tflops: float
    memory_gb: float


CARDS = {"T4": Card(65, 16), "L4": Card(121, 24), "A100": Card(312, 40), "H200": Card(989, 141)}
# On an L4: SmolVLM, 2,830 rows, batches of 4 x 4, 16 bit, rank 8 with DoRA, checkpointing on, the tower with its gradient.
# Source: the output of the Hugging Face cookbook's fine_tuning_smol_vlm_sft_trl.
PUBLISHED_MINUTES = 67
# Parts of a step that cost as much as a forward pass: the pass itself, its repetition, the way back through frozen weights.
_FORWARD, _REPEATED, _BACKWARD = 1, 1, 1


@cache
def measured_steps() -> tuple[dict, ...]:
    """The steps that were measured on the H200."""
    return tuple(json.loads(MEASURED.read_text(encoding="utf-8"))["steps"])


def example_seconds(*, checkpointing: bool, frozen_vision: bool = True, quantization: str = "none") -> float:
    """Seconds of one example on the H200, in batches of 4, which keep it busy.

    4 bits were measured at batch 1 only: what they cost there, against 16 bits, is taken to be what they cost.
    Without checkpointing nothing asks the frozen tower for a gradient: there ``frozen_vision`` changes nothing.
    """
    factor = 1.0
    if quantization == "4bit":
        factor = _step(1, True, False, "4bit") / _step(1, True, False, "none")
    return factor * _step(4, checkpointing, frozen_vision and checkpointing, "none") / 4


def _step(batch: int, checkpointing: bool, frozen_vision: bool, quantization: str) -> float:
    wanted = {
        "batch": batch, "checkpointing": checkpointing, "frozen_vision": frozen_vision, "quantization": quantization,
        "lora": True, "precision": "bfloat16",
    }  # fmt: skip
    return next(row["step_seconds"] for row in measured_steps() if wanted.items() <= row.items())


def training_minutes(card: str, profile: dict, lesson: str, *, checkpointing: bool = True) -> float:
    """The training of lesson "04" or "05" with a profile's parameters on one of ``CARDS``, evaluation left out.

    A pair of lesson 05 is two examples, and a forward pass of the reference for each. ValueError where a batch of 4 doesn't fit
    the card without checkpointing, by the bytes that the allocator reserved for it.
    """
    needed = next(row["reserved_gb"] for row in measured_steps() if row["lora"] and not row["checkpointing"])
    if not checkpointing and needed > CARDS[card].memory_gb:
        raise ValueError(f"without checkpointing a batch of 4 took {needed:.0f} GB; {card} has {CARDS[card].memory_gb}")
    seconds = example_seconds(checkpointing=checkpointing, quantization=profile["QUANTIZATION"])
    if lesson == "05":
        step = _FORWARD + _BACKWARD + (_REPEATED if checkpointing else 0)
        examples = 2 * (1 + _FORWARD / step) * profile["DPO_STEPS"] * profile["DPO_BATCH_SIZE"]
    else:
        examples = profile["MAX_STEPS"] * profile["BATCH_SIZE"]
    examples *= profile["GRADIENT_ACCUMULATION"]
    return examples * seconds * CARDS["H200"].tflops / CARDS[card].tflops / 60


def published_check() -> float:
    """Minutes that the method gives for the published run on an L4: beside ``PUBLISHED_MINUTES``."""
    seconds = example_seconds(checkpointing=True, frozen_vision=False)
    return 177 * 16 * seconds * CARDS["H200"].tflops / CARDS["L4"].tflops / 60
