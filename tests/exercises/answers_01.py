"""Answers that learners may give to the exercises of lesson 01, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

from decimal import Decimal

import torch

from tests.exercises.answers import returns

NF4 = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}

WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        ({"gigabytes": 8.985}, "float32"),
        ({"gigabytes": 2.246}, "8-bit quantization"),
        ({"gigabytes": 4.184}, "GiB (2**30 bytes) or GB"),
        ({"gigabytes": 4_492_545_760}, "a billion: mind the unit"),
        ({"gigabytes": 35.94}, "eight of them are a byte"),
    ],
    "q2": [
        (returns("bits_per_weight(bits, block, nested): return bits"), "the scales are missing"),
        (returns("bits_per_weight(bits, block, nested): return bits + 32 / block"), "stored in 8 bits each"),
        (returns("bits_per_weight(bits, block, nested): return bits + (8 if nested else 32) / block"), "need a scale too"),
        (
            returns("bits_per_weight(bits, block, nested): return bits + (8 / block + 32 / nested if nested else 32 / block)"),
            "`nested` counts scales",
        ),
        (returns("bits_per_weight(bits, block, nested): return bits + 16 / block"), "it is"),
        (returns("bits_per_weight(bits, block, nested): return bits + 8 / block + 32 / (block * nested)"), "TypeError"),
    ],
    "q3": [
        (
            returns("count_parameters(tensors): return sum(stored for stored, _, _ in tensors)"),
            "packed 4-bit weights count two to a byte",
        ),
        (returns("count_parameters(tensors): return 2 * sum(stored for stored, _, _ in tensors)"), "only the packed tensors"),
        (returns("count_parameters(tensors): return sum(s * b for s, b, _ in tensors)"), "those are bytes"),
        (
            returns("count_parameters(tensors): return sum(2 * s if k == '4bit' else s for s, b, k in tensors)"),
            "may lie in a wider type",
        ),
    ],
    "q4": [
        ({"settings": {"load_in_8bit": True}}, "not 4 bits"),
        ({"settings": {"load_in_4bit": True, "bnb_4bit_use_double_quant": True}}, "fp4's, the default"),
        ({"settings": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}}, "4.5 bits a weight"),
        ({"settings": NF4}, "computes in float32"),
        ({"settings": NF4 | {"bnb_4bit_compute_dtype": "float16"}}, "torch.float16"),
        ({"settings": {"load_in_4bit": True, "load_in_8bit": True}}, "raised ValueError"),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q1": [{"gigabytes": 4.49}, {"gigabytes": 4.5}, {"gigabytes": Decimal("4.49")}],
    "q4": [{"settings": NF4 | {"bnb_4bit_compute_dtype": torch.bfloat16}}],
}
