"""Answers that learners may give to the exercises of lesson 02, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

import numpy as np

from helpers.exercises import read_run
from tests.exercises.answers import diagnosis, returns

TENSORS = read_run("kestrel").facts["adapter_tensors"]
LITTLE = {"r": 1, "target_modules": r".*text_model.*\.(q_proj|v_proj)", "learning_rate": 1e-2}

VISION = sorted({name.split(".lora_")[0] for name in TENSORS if ".vision_model." in name})

WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        (returns("lora_parameters(d_in, d_out, r): return d_in * d_out"), "the frozen matrix W"),
        (returns("lora_parameters(d_in, d_out, r): return r * d_in * d_out"), "added, not multiplied"),
        (returns("lora_parameters(d_in, d_out, r): return r * d_in"), "that is A alone"),
        (returns("lora_parameters(d_in, d_out, r): return 2 * r * d_in"), "only where the layer is square"),
        (returns("lora_parameters(d_in, d_out, r): return r + d_in + d_out"), "it is 32768"),
        (returns("lora_parameters(d_in, d_out): return d_in"), "TypeError"),
    ],
    "q2": [
        ({"trainable": 24 * 2 * 16 * 4096 + 27 * 2 * 16 * 2304}, "the vision tower's q_proj and v_proj too"),
        ({"trainable": 24 * 2 * 8 * 4096}, "half"),
        ({"trainable": 16 * 4096}, "that is one matrix"),
        ({"trainable": 48 * 2048 * 2048}, "frozen matrices"),
        ({"trainable": 24 * 2 * 16 * 4096 + 1}, "too large"),
    ],
    "q3": [
        ({"pattern": r".*\.(q_proj|v_proj)"}, "your pattern also matches 8 layers of the vision tower of embedded"),
        ({"pattern": r".*text_model.*\.(q_proj|v_proj)"}, "matches nothing in Qwen2-VL-2B"),
        ({"pattern": r".*language_model.*\.(q_proj|v_proj)"}, "matches nothing in embedded"),
        ({"pattern": r".*(text_model|language_model).*\.q_proj"}, "misses"),
        ({"pattern": r".*(text_model|language_model).*_proj"}, "nobody asked for"),
        ({"pattern": ["q_proj", "v_proj"]}, "takes a list as endings"),
        ({"pattern": r".*(text_model"}, "raised"),
    ],
    "q4": [
        (diagnosis("kestrel", "nothing is wrong", TENSORS), "read the names of the tensors"),
        (diagnosis("kestrel", "learning rate too high", TENSORS), "the loss falls"),
        (diagnosis("kestrel", "adapter in the vision tower", TENSORS[:16]), "each adapted layer has two"),
        (
            diagnosis("kestrel", "adapter in the vision tower", {name.split(".lora_")[0] for name in TENSORS}),
            "8 of them are layers of the text",
        ),
        (diagnosis("kestrel", "adapter in the vision tower", 8), "a list of names"),
        (diagnosis("kestrel", "adapter in the vision tower", [TENSORS[0].split(".lora_")[0]]), "1 of the 8 layers"),
        (diagnosis("kestrel", "adapter in the vision tower"), "the cause fits; and the evidence?"),
        (diagnosis("kestrel", "vision", TENSORS), "none of the causes"),
    ],
    "q5": [
        ({"settings": LITTLE | {"r": 64}}, "at most"),
        (
            {"settings": {"r": 10, "target_modules": ["q_proj", "v_proj"], "learning_rate": 4e-3}},
            "8 of the adapted layers are in the vision tower",
        ),
        ({"settings": LITTLE | {"learning_rate": 1e-6}}, "the bar is"),
        ({"settings": LITTLE | {"target_modules": ["nope"]}}, "raised ValueError"),
        ({"settings": LITTLE | {"batch": 64}}, "settings has batch"),
        ({"settings": {"r": 1}}, "settings is a dict with r"),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q3": [{"pattern": r"model\.(text_model|language_model)\.layers\.\d+\.self_attn\.[qv]_proj"}],
    "q4": [
        diagnosis("kestrel", "adapter in the vision tower", np.array(VISION)),
        diagnosis("kestrel", "adapter in the vision tower", dict.fromkeys(VISION).keys()),
        diagnosis("kestrel", "adapter in the vision tower", frozenset(VISION)),
    ],
}
