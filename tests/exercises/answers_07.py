"""Answers that learners may give to the exercises of lesson 07, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

from helpers.exercises import questions_07
from tests.exercises.answers import diagnosis, returns

CLI_FIXED = questions_07.BROKEN | {
    "use_peft": True,
    "lora_target_modules": r".*text_model.*\.(q_proj|v_proj)",
    "max_length": None,
}

WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        ({"settings": CLI_FIXED | {"max_length": -1}}, "silently cuts the last token"),
        ({"settings": {k: v for k, v in CLI_FIXED.items() if k != "max_length"}}, "cut at 1024 tokens"),
        ({"settings": CLI_FIXED | {"use_peft": False}}, "trains every weight"),
        ({"settings": CLI_FIXED | {"use_peft": "false"}}, "in quotes it is a text"),
        ({"settings": CLI_FIXED | {"lora_r": 16}}, "this LoRA has rank 16; asked is the number 8"),
        ({"settings": CLI_FIXED | {"lora_target_modules": ["q_proj", "v_proj"]}}, "8 layers of the vision tower"),
        ({"settings": CLI_FIXED | {"lora_target_modules": "q_proj, v_proj"}}, "one text to the parser"),
        ({"settings": CLI_FIXED | {"lora_target_modules": r".*text_model.*_proj"}}, "asked are q_proj and v_proj"),
    ],
    "q2": [
        (returns("accumulation(e, n, b): return e // b if e % b == 0 else None"), "their number counts too"),
        (returns("accumulation(e, n, b): return e // (n * b)"), "rounded down"),
        (returns("accumulation(e, n, b): return e / (n * b)"), "a number of batches is whole"),
        (returns("accumulation(e, n, b): return e * n // b if e * n % b == 0 else None"), "not more"),
    ],
    "q3": [
        (
            returns("newest_checkpoint(f, m): return max(f, key=lambda n: int(n.split('-')[1]), default=None)"),
            "cut short has no marker",
        ),
        (returns("newest_checkpoint(f, m): return max((n for n in f if m in f[n]), default=None)"), "compared as text"),
        (
            returns(
                "newest_checkpoint(f, m): return max((n for n in f if f[n][-1] == m), key=lambda n: int(n.split('-')[1]), default=None)"
            ),
            "may stand anywhere in the list",
        ),
        (
            returns("newest_checkpoint(f, m): return max((int(n.split('-')[1]) for n in f if m in f[n]), default=None)"),
            "the folder's name",
        ),
        (
            returns("newest_checkpoint(f, m): return max((n for n in f if m in f[n]), key=lambda n: int(n.split('-')[1]))"),
            "ValueError",
        ),
    ],
    "q4": [
        (diagnosis("avocet", "nothing is wrong", 1), "count the steps"),
        (diagnosis("avocet", "learning rate too low", 1), "doesn't fit the command"),
        (diagnosis("avocet", "one process instead of two"), "how many processes really trained"),
        (diagnosis("avocet", "one process instead of two", 2), "what was asked for"),
        (diagnosis("avocet", "completion cut away", 1), "would be 0.0"),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q1": [{"settings": CLI_FIXED | {"lora_target_modules": [r".*text_model.*\.(q_proj|v_proj)"], "max_length": "null"}}],
}
