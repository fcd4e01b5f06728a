"""Answers that learners may give to the exercises of lesson 00, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

import math

import numpy as np
import torch

from tests.exercises.answers import returns

SYSTEM = '{"role": "system", "content": [{"type": "text", "text": system}]}'
INSTRUCTION = '{"type": "text", "text": system}'
IMAGE, TEXT = '{"type": "image"}', '{"type": "text", "text": question}'


def prompt(messages: str, arguments: str = ", add_generation_prompt=True"):
    from helpers.models import load_processor

    code = f"build_prompt(question, system):\n    return processor.apply_chat_template([{messages}]{arguments})"
    return returns(code, processor=load_processor("embedded"))


def user(*content: str) -> str:
    return '{"role": "user", "content": [' + ", ".join(content) + "]}"


WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        ({"tokens": 1296}, "the whole picture follows as one more tile"),
        ({"tokens": 81}, "enlarged to the longest edge"),
        ({"tokens": 1088}, "SmolVLM2-500M's"),
        ({"tokens": 17}, "those are the tiles"),
        ({"tokens": "1377"}, "without quotes"),
        ({"tokens": 5000}, "too large, by more than a factor of 2"),
    ],
    "q2": [
        (
            returns(
                "image_tokens(w, h, e, t, n): s = e / max(w, h); return math.ceil(round(w * s) / t) * math.ceil(round(h * s) / t) * n",
                math=math,
            ),
            "the whole picture, as one more tile, is missing",
        ),
        (
            returns("image_tokens(w, h, e, t, n): return (math.ceil(w / t) * math.ceil(h / t) + 1) * n", math=math),
            "its own size",
        ),
        (
            returns("image_tokens(w, h, e, t, n): s = e / max(w, h); return (round(w * s) // t * (round(h * s) // t) + 1) * n"),
            "round the number",
        ),
        (
            returns(
                "image_tokens(w, h, e, t, n):\n  s = min(1, e / max(w, h))\n  return (-(-round(w * s) // t) * -(-round(h * s) // t) + 1) * n"
            ),
            "small pictures are not enlarged",
        ),
        (
            returns("image_tokens(w, h, e, t, n): return h / 0"),
            "your code raised ZeroDivisionError: division by zero\nin image_tokens(850, 600",
        ),
        (returns("image_tokens(w, h, e, t, n): print(w)"), "is there a return statement?"),
        (
            returns(
                "image_tokens(w, h, e, t, n):\n  s = e / max(w, h)\n  return (-(-round(w * s) // t) * -(-round(h * s) // t) + 1) * n"
            ),
            "nothing follows it",
        ),
        (
            returns(
                "image_tokens(w, h, e, t, n):\n  s = e / max(w, h)\n  k = -(-round(w * s) // t) * -(-round(h * s) // t)\n  return k + (k > 1)"
            ),
            "each becomes tokens_per_tile",
        ),
    ],
    "q3": [
        (prompt(f"{SYSTEM}, {user(IMAGE, TEXT)}", ""), "add_generation_prompt"),
        (prompt(f"{SYSTEM}, {user(TEXT)}"), "0 placeholders for one picture"),
        (prompt(user(IMAGE, TEXT)), "the instruction is not in the prompt"),
        (prompt(f"{user(IMAGE, TEXT)}, {SYSTEM}"), "out of order"),
        (prompt(f"{SYSTEM}, {user(IMAGE, IMAGE, TEXT)}"), "2 placeholders for one picture"),
        (returns("build_prompt(question, system): return [1, 2]"), "not ids"),
        (prompt(f'{{"role": "system", "content": system}}, {user(IMAGE, TEXT)}'), "the system turn is empty: content must be"),
        (prompt(f'{SYSTEM}, {{"role": "user", "content": "<image>" + question}}'), "the user turn is empty: content must be"),
        (prompt(f"{SYSTEM}, {user(TEXT, IMAGE)}"), "the picture stands behind the question"),
        (prompt(user(IMAGE, INSTRUCTION, TEXT)), "the instruction stands in the user's turn"),
        (prompt(f"{user(INSTRUCTION)}, {user(IMAGE, TEXT)}"), "its role is system"),
        (prompt(f"{SYSTEM.replace('[', '[' + IMAGE + ', ')}, {user(TEXT)}"), "the picture stands in the instruction's turn"),
        (prompt(f"{SYSTEM}, {user(IMAGE)}, {user(TEXT)}"), "stand in two turns"),
        (prompt(f"{SYSTEM}, {user(IMAGE)}"), "the question is not in the prompt"),
        (
            prompt(f"{SYSTEM}, {user(IMAGE, TEXT.replace('question', repr('Q: ') + ' + question'))}"),
            "training:\nfrom character 87 on: there is 'Q: What is",
        ),
    ],
    "q4": [
        (
            returns(
                "lost_tokens(b, i, a, m): return (0, 0) if m is None else (min(i, max(0, i - m)), min(a, max(0, i + a - m)))"
            ),
            "count `before`",
        ),
        (returns("lost_tokens(b, i, a, m): return (0, 0) if m is None else (b + i - m, b + i + a - m)"), "clip at 0"),
        (
            returns(
                "lost_tokens(b, i, a, m): return (0, 0) if m is None else (min(a, max(0, b + i + a - m)), min(i, max(0, b + i - m)))"
            ),
            "the order",
        ),
        (returns("lost_tokens(b, i, a, m): return (max(0, b + i - m), max(0, b + i + a - m))"), "TypeError"),
        (
            returns("lost_tokens(b, i, a, m): return (0, 0) if m is None else (max(0, b + i - m), max(0, b + i + a - m))"),
            "it is",
        ),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q1": [{"tokens": 1377}, {"tokens": np.int64(1377)}, {"tokens": torch.tensor(1377.0)}],
    "q3": [
        prompt(f"{SYSTEM}, {user(IMAGE, TEXT)}", ", tokenize=False, add_generation_prompt=True"),
        returns(
            "build_prompt(question, system): return f'<|im_start|>System: {system}<end_of_utterance>\\nUser:<image>{question}"
            "<end_of_utterance>\\nAssistant:'"
        ),
    ],
    "q4": [
        returns(
            "lost_tokens(b, i, a, m):\n  m = float('inf') if m is None else m\n  return [max(0, min(i, b + i - m)), max(0, min(a, b + i + a - m))]"
        )
    ],
}
