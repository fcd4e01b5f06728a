"""How long a profile's training takes on a card that nobody measured: estimates, from the steps of one that was.

Method: the seconds of an example on the measured card, in the setting that the profile has on the other one, times the
profile's examples, times the ratio of the two cards' peak throughput in 16 bit. So it takes both cards to be equally well used
and never to wait for pictures. Its check is a published run on an L4 (:func:`published_check`).
"""

import json
from dataclasses import dataclass
from functools import cache

from helpers.memory import room_for_tensors, stored_as, weight_bytes
from helpers.models import Hardware
from helpers.paths import NOTEBOOKS

_MODEL = "SmolVLM2-2.2B"
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
    return _measured(batch, checkpointing, frozen_vision, quantization)["step_seconds"]


def _measured(batch: int, checkpointing: bool, frozen_vision: bool, quantization: str) -> dict:
    wanted = {
        "batch": batch, "checkpointing": checkpointing, "frozen_vision": frozen_vision, "quantization": quantization,
        "lora": True, "precision": "bfloat16",
    }  # fmt: skip
    return next(row for row in measured_steps() if wanted.items() <= row.items())


def needs_checkpointing(card: str, profile: dict, lesson: str) -> bool:
    """What ``ACTIVATION_CHECKPOINTING: auto`` comes to in lesson "04" or "05" on one of ``CARDS``.

    From the peak that was measured without it at a batch of 4: what isn't weights is taken to be four sequences', and a pair of
    lesson 05 to be two.
    """
    without = _measured(4, False, False, "none")
    stored = {kind: weight_bytes(_MODEL, stored_as("bfloat16", kind)).total for kind in ("none", profile["QUANTIZATION"])}
    sequence = (1e9 * without["peak_gb"] - stored["none"]) / without["batch"]
    sequences = 2 * profile["DPO_BATCH_SIZE"] if lesson == "05" else profile["BATCH_SIZE"]
    memory = Hardware("cuda", card, int(1e9 * CARDS[card].memory_gb), native_bf16=card != "T4")
    return stored[profile["QUANTIZATION"]] + sequences * sequence > room_for_tensors(memory)


def training_minutes(card: str, profile: dict, lesson: str) -> float:
    """The training of lesson "04" or "05" with a profile's parameters on one of ``CARDS``, evaluation left out.

    A pair of lesson 05 is two examples, and a forward pass of the reference for each. With checkpointing where it is needed.
    """
    checkpointing = needs_checkpointing(card, profile, lesson)
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
