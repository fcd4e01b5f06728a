"""Answers that learners may give to the exercises of lesson 04, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

import torch

from helpers.exercises import questions_04
from tests.exercises.answers import diagnosis, returns

SFT_FIXED = {
    "max_length": None,
    "warmup_steps": 0.1,
    "eval_strategy": "steps",
    "eval_steps": 50,
    "bf16": False,
    "use_cpu": True,
}

WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        (returns("mask_labels(ids, n, pad): return [-100] * n + ids[n:]"), "the padding is trained on"),
        (returns("mask_labels(ids, n, pad): return [-100 if t == pad else t for t in ids]"), "the prompt is trained on"),
        (returns("mask_labels(ids, n, pad): return [t if i < n else -100 for i, t in enumerate(ids)]"), "the other way round"),
        (returns("mask_labels(ids, n, pad): return [t for t in ids[n:] if t != pad]"), "as long as the input"),
        (
            returns("mask_labels(ids, n, pad): return [-100 if t in ids[:n] or t == pad else t for t in ids]"),
            "mask by position",
        ),
        (
            returns("mask_labels(ids, n, pad): return [0 if i < n or t == pad else t for i, t in enumerate(ids)]"),
            "leaves out -100",
        ),
    ],
    "q2": [
        (diagnosis("magpie", "nothing is wrong", 0.5), "compare what the two can do"),
        (diagnosis("magpie", "learning rate too low", 0.5), "the loss of what"),
        (diagnosis("magpie", "image tokens in the loss"), "the trained tokens that stand for the picture"),
        (diagnosis("magpie", "image tokens in the loss", 64), "asked is their share"),
        (diagnosis("magpie", "image tokens in the loss", "most"), "without quotes"),
        (diagnosis("magpie", "contaminated test set", 0.5), "nothing in these figures points to it"),
    ],
    "q3": [
        (diagnosis("plover", "nothing is wrong", 101), "is not a good fit"),
        (diagnosis("plover", "learning rate too low", 101), "doesn't make it 0.0"),
        (diagnosis("plover", "completion cut away"), "the smallest max_length that would leave every example"),
        (diagnosis("plover", "completion cut away", 85), "that is what it was cut at"),
        (diagnosis("plover", "completion cut away", 1024), "asked is the smallest"),
    ],
    "q4": [
        ({"arguments": questions_04.BROKEN | {"bf16": False}}, "unexpected keyword argument"),
        ({"arguments": SFT_FIXED | {"max_length": -1}}, "silently cuts the last token"),
        ({"arguments": {k: v for k, v in SFT_FIXED.items() if k != "max_length"}}, "cut at 1024 tokens"),
        ({"arguments": {k: v for k, v in SFT_FIXED.items() if k != "bf16"}}, "leaving the argument out doesn't help"),
        ({"arguments": {k: v for k, v in SFT_FIXED.items() if k != "eval_strategy"}}, "renamed, not abolished"),
        ({"arguments": SFT_FIXED | {"eval_strategy": "epoch"}}, "'epoch' looks at no eval_steps"),
        ({"arguments": SFT_FIXED | {"eval_steps": 500}}, "wanted every 50 steps"),
        ({"arguments": SFT_FIXED | {"fp16": True}}, "neither fp16 nor bf16"),
        ({"arguments": {k: v for k, v in SFT_FIXED.items() if k != "warmup_steps"}}, "the warm-up is gone"),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q1": [
        returns(
            "mask_labels(ids, n, pad):\n  x = torch.tensor(ids)\n  x[:n] = -100\n  x[torch.tensor(ids) == pad] = -100\n  return x",
            torch=torch,
        )
    ],
}
