"""Answers that learners may give to the exercises of lesson 03, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

import math

import torch

from tests.exercises.answers import returns

STEP = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4, "activation_checkpointing": False}

WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        (returns("batch_loss(losses, tokens): return sum(losses) / len(losses)"), "the plain mean"),
        (
            returns("batch_loss(losses, tokens): return sum(l * t for l, t in zip(losses, tokens))"),
            "that is the sum over all tokens",
        ),
        (
            returns("batch_loss(losses, tokens): return sum(l * t for l, t in zip(losses, tokens)) / len(tokens)"),
            "divide by all tokens",
        ),
        (returns("batch_loss(losses, tokens): return sum(losses) / sum(tokens)"), "multiply it by its tokens first"),
        (returns("batch_loss(losses, tokens): return max(losses)"), "it is"),
    ],
    "q2": [
        ({"gigabytes": 8.985}, "the weights alone"),
        ({"gigabytes": 26.955}, "AdamW keeps two numbers"),
        ({"gigabytes": 17.97}, "all four in 16 bits"),
        ({"gigabytes": 35_940}, "a factor of 1,000"),
    ],
    "q3": [
        (
            returns(
                "plan_batch(m, f, p, e):\n  k = int(m // p)\n  return next(((b, e // b) for b in range(e, 0, -1) if b <= k and e % b == 0), None)"
            ),
            "subtracted from the memory first",
        ),
        (
            returns(
                "plan_batch(m, f, p, e):\n  k = min(e, int((m - f) // p))\n  return (k, math.ceil(e / k)) if k > 0 else None",
                math=math,
            ),
            "only a divisor",
        ),
        (returns("plan_batch(m, f, p, e): return (1, e) if m - f >= p else None"), "one by one is the slowest way"),
        (
            returns(
                "plan_batch(m, f, p, e):\n  k = int((m - f) // p)\n  return next((e // b, b) for b in range(e, 0, -1) if b <= k and e % b == 0)"
            ),
            "StopIteration",
        ),
        (
            returns(
                "plan_batch(m, f, p, e):\n  k = (m - f) // p\n  return next(((e // b, b) for b in range(e, 0, -1) if b <= k and e % b == 0), None)"
            ),
            "the order",
        ),
    ],
    "q4": [
        ({"settings": STEP | {"gradient_accumulation_steps": 1}}, "learns from 4 examples instead of 16"),
        (
            {"settings": STEP | {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}},
            "the bar is 0.5",
        ),
        ({"settings": STEP | {"learning_rate": 1.0}}, "settings is a dict with"),
        ({"settings": STEP | {"per_device_train_batch_size": "4"}}, "whole numbers"),
        ({"settings": STEP | {"activation_checkpointing": "yes"}}, "True or False"),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q1": [
        returns(
            "batch_loss(losses, tokens): return torch.dot(torch.tensor(losses), torch.tensor(tokens).float()) / sum(tokens)",
            torch=torch,
        )
    ],
}
