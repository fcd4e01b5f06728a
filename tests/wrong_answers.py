"""Answers that learners may give, written as they would write them, and what each check must say to them.

``WRONG``: for each exercise the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that
are not the solution's.
"""

import math

import numpy as np
import torch

from helpers.exercises.questions_04 import BROKEN as SFT_BROKEN
from helpers.exercises.questions_07 import BROKEN as CLI_BROKEN
from helpers.exercises.runs import read_run


def returns(text: str, **names):
    """A function written as source, with what it needs: ``f(a, b): return a + b``."""
    namespace = dict(names)
    exec(f"def {text}", namespace)
    return {name: value for name, value in namespace.items() if callable(value) and name == text.split("(")[0]}


SYSTEM = '{"role": "system", "content": [{"type": "text", "text": system}]}'
IMAGE, TEXT = '{"type": "image"}', '{"type": "text", "text": question}'


def prompt(messages: str, arguments: str = ", add_generation_prompt=True"):
    from helpers.models import load_processor

    code = f"build_prompt(question, system):\n    return processor.apply_chat_template([{messages}]{arguments})"
    return returns(code, processor=load_processor("embedded"))


def user(*content: str) -> str:
    return '{"role": "user", "content": [' + ", ".join(content) + "]}"


def relaxed(
    numbers: str = "abs(p - t) / abs(t) <= 0.05", guard: str = "p is not None and t", texts: str = "{p}.lower() == {t}.lower()"
):
    """A relaxed_match with one part written otherwise."""
    code = f"""relaxed_match(prediction, target):
    def number(text):
        try:
            return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
        except ValueError:
            return None
    p, t = number(prediction), number(target)
    if {guard}:
        return {numbers}
    return {texts.format(p="prediction", t="target")}"""
    return returns(code)


NF4 = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
SFT_FIXED = {
    "max_length": None,
    "warmup_steps": 0.1,
    "eval_strategy": "steps",
    "eval_steps": 50,
    "bf16": False,
    "use_cpu": True,
}
CLI_FIXED = CLI_BROKEN | {"use_peft": True, "lora_target_modules": r".*text_model.*\.(q_proj|v_proj)", "max_length": None}
TENSORS = read_run("kestrel").facts["adapter_tensors"]
STEP = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4, "activation_checkpointing": False}
LITTLE = {"r": 1, "target_modules": r".*text_model.*\.(q_proj|v_proj)", "learning_rate": 1e-2}


def diagnosis(run: str, cause: str, evidence=None) -> dict:
    return {f"{run}_cause": cause, f"{run}_evidence": ... if evidence is None else evidence}


WRONG: dict[tuple[str, str], list[tuple[dict, str]]] = {
    ("00_meet_the_model", "q1"): [
        ({"tokens": 1296}, "the whole picture follows as one more tile"),
        ({"tokens": 81}, "enlarged to the longest edge"),
        ({"tokens": 1088}, "SmolVLM2-500M's"),
        ({"tokens": 17}, "those are the tiles"),
        ({"tokens": "1377"}, "without quotes"),
        ({"tokens": 5000}, "too large, by more than a factor of 2"),
    ],
    ("00_meet_the_model", "q2"): [
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
    ],
    ("00_meet_the_model", "q3"): [
        (prompt(f"{SYSTEM}, {user(IMAGE, TEXT)}", ""), "add_generation_prompt"),
        (prompt(f"{SYSTEM}, {user(TEXT)}"), "0 placeholders for one picture"),
        (prompt(user(IMAGE, TEXT)), "the instruction is not in the prompt"),
        (prompt(f"{user(IMAGE, TEXT)}, {SYSTEM}"), "out of order"),
        (prompt(f"{SYSTEM}, {user(IMAGE, IMAGE, TEXT)}"), "2 placeholders for one picture"),
        (returns("build_prompt(question, system): return [1, 2]"), "not ids"),
    ],
    ("00_meet_the_model", "q4"): [
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
    ("01_quantization_memory", "q1"): [
        ({"gigabytes": 8.985}, "float32"),
        ({"gigabytes": 2.246}, "8-bit quantization"),
        ({"gigabytes": 4.184}, "GiB (2**30 bytes) or GB"),
        ({"gigabytes": 4_492_545_760}, "a billion: mind the unit"),
        ({"gigabytes": 35.94}, "eight of them are a byte"),
    ],
    ("01_quantization_memory", "q2"): [
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
    ("01_quantization_memory", "q3"): [
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
    ("01_quantization_memory", "q4"): [
        ({"settings": {"load_in_8bit": True}}, "not 4 bits"),
        ({"settings": {"load_in_4bit": True, "bnb_4bit_use_double_quant": True}}, "fp4's, the default"),
        ({"settings": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}}, "4.5 bits a weight"),
        ({"settings": NF4}, "computes in float32"),
        ({"settings": NF4 | {"bnb_4bit_compute_dtype": "float16"}}, "torch.float16"),
        ({"settings": {"load_in_4bit": True, "load_in_8bit": True}}, "raised ValueError"),
    ],
    ("02_lora_parameters", "q1"): [
        (returns("lora_parameters(d_in, d_out, r): return d_in * d_out"), "the frozen matrix W"),
        (returns("lora_parameters(d_in, d_out, r): return r * d_in * d_out"), "added, not multiplied"),
        (returns("lora_parameters(d_in, d_out, r): return r * d_in"), "that is A alone"),
        (returns("lora_parameters(d_in, d_out, r): return 2 * r * d_in"), "only where the layer is square"),
        (returns("lora_parameters(d_in, d_out, r): return r + d_in + d_out"), "it is 32768"),
        (returns("lora_parameters(d_in, d_out): return d_in"), "TypeError"),
    ],
    ("02_lora_parameters", "q2"): [
        ({"trainable": 24 * 2 * 16 * 4096 + 27 * 2 * 16 * 2304}, "the vision tower's q_proj and v_proj too"),
        ({"trainable": 24 * 2 * 8 * 4096}, "half"),
        ({"trainable": 16 * 4096}, "that is one matrix"),
        ({"trainable": 48 * 2048 * 2048}, "frozen matrices"),
        ({"trainable": 24 * 2 * 16 * 4096 + 1}, "too large"),
    ],
    ("02_lora_parameters", "q3"): [
        ({"pattern": r".*\.(q_proj|v_proj)"}, "your pattern also matches 8 layers of the vision tower of embedded"),
        ({"pattern": r".*text_model.*\.(q_proj|v_proj)"}, "matches nothing in Qwen2-VL-2B"),
        ({"pattern": r".*language_model.*\.(q_proj|v_proj)"}, "matches nothing in embedded"),
        ({"pattern": r".*(text_model|language_model).*\.q_proj"}, "misses"),
        ({"pattern": r".*(text_model|language_model).*_proj"}, "nobody asked for"),
        ({"pattern": ["q_proj", "v_proj"]}, "takes a list as endings"),
        ({"pattern": r".*(text_model"}, "raised"),
    ],
    ("02_lora_parameters", "q4"): [
        (diagnosis("kestrel", "nothing is wrong", TENSORS), "read the names of the tensors"),
        (diagnosis("kestrel", "learning rate too high", TENSORS), "the loss falls"),
        (diagnosis("kestrel", "adapter in the vision tower", TENSORS[:16]), "each adapted layer has two"),
        (
            diagnosis("kestrel", "adapter in the vision tower", {name.split(".lora_")[0] for name in TENSORS}),
            "8 of them are layers of the text",
        ),
        (diagnosis("kestrel", "adapter in the vision tower", 8), "a list of names"),
        (diagnosis("kestrel", "adapter in the vision tower", [TENSORS[0].split(".lora_")[0]]), "1 of the 8 layers"),
        (diagnosis("kestrel", "adapter in the vision tower"), "and the evidence?"),
        (diagnosis("kestrel", "vision", TENSORS), "none of the causes"),
    ],
    ("02_lora_parameters", "q5"): [
        ({"settings": LITTLE | {"r": 64}}, "at most"),
        ({"settings": LITTLE | {"learning_rate": 1e-6}}, "the bar is"),
        ({"settings": LITTLE | {"target_modules": ["nope"]}}, "raised ValueError"),
        ({"settings": LITTLE | {"batch": 64}}, "settings has batch"),
        ({"settings": {"r": 1}}, "settings is a dict with r"),
    ],
    ("03_batch_size_memory", "q1"): [
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
    ("03_batch_size_memory", "q2"): [
        ({"gigabytes": 8.985}, "the weights alone"),
        ({"gigabytes": 26.955}, "AdamW keeps two numbers"),
        ({"gigabytes": 17.97}, "all four in 16 bits"),
        ({"gigabytes": 35_940}, "a factor of 1,000"),
    ],
    ("03_batch_size_memory", "q3"): [
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
    ("03_batch_size_memory", "q4"): [
        ({"settings": STEP | {"gradient_accumulation_steps": 1}}, "learns from 4 examples instead of 16"),
        (
            {"settings": STEP | {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}},
            "the bar is 0.5",
        ),
        ({"settings": STEP | {"learning_rate": 1.0}}, "settings is a dict with"),
        ({"settings": STEP | {"per_device_train_batch_size": "4"}}, "whole numbers"),
        ({"settings": STEP | {"activation_checkpointing": "yes"}}, "True or False"),
    ],
    ("04_sft_chartqa", "q1"): [
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
    ("04_sft_chartqa", "q2"): [
        (diagnosis("magpie", "nothing is wrong", 0.5), "compare what the two can do"),
        (diagnosis("magpie", "learning rate too low", 0.5), "the loss of what"),
        (diagnosis("magpie", "image tokens in the loss", 64), "asked is their share"),
        (diagnosis("magpie", "image tokens in the loss", "most"), "without quotes"),
        (diagnosis("magpie", "contaminated test set", 0.5), "nothing in these figures points to it"),
    ],
    ("04_sft_chartqa", "q3"): [
        (diagnosis("plover", "nothing is wrong", 101), "is not a good fit"),
        (diagnosis("plover", "learning rate too low", 101), "doesn't make it 0.0"),
        (diagnosis("plover", "completion cut away", 85), "that is what it was cut at"),
        (diagnosis("plover", "completion cut away", 1024), "the smallest"),
    ],
    ("04_sft_chartqa", "q4"): [
        ({"arguments": SFT_BROKEN | {"bf16": False}}, "unexpected keyword argument"),
        ({"arguments": SFT_FIXED | {"max_length": -1}}, "silently cuts the last token"),
        ({"arguments": {k: v for k, v in SFT_FIXED.items() if k != "max_length"}}, "cut at 1024 tokens"),
        ({"arguments": {k: v for k, v in SFT_FIXED.items() if k != "bf16"}}, "leaving the argument out doesn't help"),
        ({"arguments": {k: v for k, v in SFT_FIXED.items() if k != "eval_strategy"}}, "renamed, not abolished"),
        ({"arguments": {k: v for k, v in SFT_FIXED.items() if k != "warmup_steps"}}, "the warm-up is gone"),
    ],
    ("05_dpo_preferences", "q1"): [
        (
            returns("dpo_loss(pc, pr, rc, rr, beta): return math.log(1 + math.exp(-beta * (pc - pr)))", math=math),
            "the reference is missing",
        ),
        (
            returns("dpo_loss(pc, pr, rc, rr, beta): return math.log(1 + math.exp(beta * ((pc - rc) - (pr - rr))))", math=math),
            "turned round",
        ),
        (
            returns("dpo_loss(pc, pr, rc, rr, beta): return math.log(1 + math.exp(-((pc - rc) - (pr - rr))))", math=math),
            "beta is missing",
        ),
        (
            returns("dpo_loss(pc, pr, rc, rr, beta): return 1 / (1 + math.exp(-beta * ((pc - rc) - (pr - rr))))", math=math),
            "that is the sigmoid",
        ),
        (returns("dpo_loss(pc, pr, rc, rr, beta): return -beta * ((pc - rc) - (pr - rr))"), "minus the margin"),
        (
            returns(
                "dpo_loss(pc, pr, rc, rr, beta): return beta * math.log(1 + math.exp(-((pc - rc) - (pr - rr))))", math=math
            ),
            "inside the sigmoid, to",
        ),
    ],
    ("05_dpo_preferences", "q2"): [
        ({"loss": 0}, "-log(sigmoid(0)) is not"),
        ({"loss": 0.5}, "that is sigmoid(0)"),
        ({"loss": 0.2079}, "the difference is 0"),
        ({"loss": 0.301}, "decimal logarithm"),
        ({"loss": -0.6931}, "it is positive"),
    ],
    ("05_dpo_preferences", "q3"): [
        (
            returns(
                "reward_metrics(pairs, beta):\n  m = [beta * ((a - c) - (b - d)) for a, b, c, d in pairs]\n"
                "  return sum(x >= 0 for x in m) / len(m), sum(m) / len(m)"
            ),
            "a tie is no success",
        ),
        (
            returns(
                "reward_metrics(pairs, beta):\n  m = [(a - c) - (b - d) for a, b, c, d in pairs]\n  return sum(x > 0 for x in m) / len(m), sum(m) / len(m)"
            ),
            "beta times log-probabilities",
        ),
        (
            returns(
                "reward_metrics(pairs, beta):\n  m = [beta * (a - b) for a, b, c, d in pairs]\n  return sum(x > 0 for x in m) / len(m), sum(m) / len(m)"
            ),
            "the reference is missing",
        ),
        (
            returns(
                "reward_metrics(pairs, beta):\n  m = [beta * ((a - c) - (b - d)) for a, b, c, d in pairs]\n  return sum(x > 0 for x in m) / len(m), sum(m)"
            ),
            "not their sum",
        ),
        (returns("reward_metrics(pairs, beta): return 1.0"), "it is"),
    ],
    ("05_dpo_preferences", "q4"): [
        (diagnosis("petrel", "nothing is wrong", 1), "now read what the model says"),
        (diagnosis("petrel", "chosen equal to rejected", 1), "then margin and accuracy would be 0"),
        (diagnosis("petrel", "learning rate too low", 1), "not too little"),
        (diagnosis("petrel", "learning rate too high", 0.001), "too small"),
    ],
    ("05_dpo_preferences", "q5"): [
        (diagnosis("dunlin", "nothing is wrong", 80), "this one never left it"),
        (diagnosis("dunlin", "completion cut away", 80), "there would be no tokens to add up"),
        (diagnosis("dunlin", "learning rate too low", 80), "not 0 in every row"),
        (diagnosis("dunlin", "chosen equal to rejected", 0), "the second and the third entry"),
        (diagnosis("dunlin", "chosen equal to rejected", 10), "how many rows the log has"),
    ],
    ("06_evaluation", "q1"): [
        (returns("relaxed_match(p, t): return p.lower() == t.lower()"), "exact match"),
        (relaxed(texts="{t}.lower() in {p}.lower()"), "merely contains the target"),
        (relaxed(guard="p is not None and t is not None", numbers="abs(p - t) <= 0.05 * abs(t)"), "'0.0' is not '0'"),
        (relaxed(numbers="abs(p - t) / abs(t) < 0.05"), "at most, not less than"),
        (relaxed(numbers="abs(p - t) / t <= 0.05"), "every number would be right"),
        (relaxed(texts="{p} == {t}"), "case doesn't count"),
        (relaxed(texts="{p}.lower().rstrip('.') == {t}.lower()"), "Nothing is removed"),
        (relaxed(guard="p is not None"), "ZeroDivisionError"),
    ],
    ("06_evaluation", "q2"): [
        (
            returns(
                "paired_p_value(a, b):\n  w = sum(x and not y for x, y in zip(a, b)); l = sum(y and not x for x, y in zip(a, b))\n"
                "  return sum(math.comb(w + l, i) for i in range(min(w, l) + 1)) / 2 ** (w + l)",
                math=math,
            ),
            "double it",
        ),
        (
            returns(
                "paired_p_value(a, b):\n  w = sum(x and not y for x, y in zip(a, b)); l = sum(y and not x for x, y in zip(a, b))\n"
                "  return 2 * sum(math.comb(w + l, i) for i in range(min(w, l) + 1)) / 2 ** (w + l)",
                math=math,
            ),
            "no probability is above 1",
        ),
        (
            returns(
                "paired_p_value(a, b):\n  w = sum(x and not y for x, y in zip(a, b)); l = sum(y and not x for x, y in zip(a, b)); n = len(a)\n"
                "  return min(1, 2 * sum(math.comb(n, i) for i in range(min(w, l) + 1)) / 2 ** n)",
                math=math,
            ),
            "agree say nothing",
        ),
        (returns("paired_p_value(a, b): return abs(sum(a) - sum(b)) / len(a)"), "it is"),
    ],
    ("06_evaluation", "q3"): [
        ({"questions": 19.6}, "the square is missing"),
        ({"questions": 1067}, "the worst case"),
        ({"questions": 1537}, "to either side"),
        ({"questions": 100}, "68 % interval"),
        ({"questions": 3842}, "p (1 - p), not p"),
    ],
    ("06_evaluation", "q4"): [
        (diagnosis("wigeon", "nothing is wrong", 24), "compare the rows of the two sets"),
        (diagnosis("wigeon", "learning rate too high", 24), "would be poor"),
        (diagnosis("wigeon", "contaminated test set", 48), "compare the pictures' fingerprints"),
        (diagnosis("wigeon", "contaminated test set", 1), "too small"),
    ],
    ("07_scaling_out", "q1"): [
        ({"settings": CLI_FIXED | {"max_length": -1}}, "silently cuts the last token"),
        ({"settings": {k: v for k, v in CLI_FIXED.items() if k != "max_length"}}, "cut at 1024 tokens"),
        ({"settings": CLI_FIXED | {"use_peft": False}}, "trains every weight"),
        ({"settings": CLI_FIXED | {"lora_target_modules": ["q_proj", "v_proj"]}}, "8 layers of the vision tower"),
        ({"settings": CLI_FIXED | {"lora_target_modules": "q_proj, v_proj"}}, "one text to the parser"),
        ({"settings": CLI_FIXED | {"lora_target_modules": r".*text_model.*_proj"}}, "asked are q_proj and v_proj"),
    ],
    ("07_scaling_out", "q2"): [
        (returns("accumulation(e, n, b): return e // b if e % b == 0 else None"), "their number counts too"),
        (returns("accumulation(e, n, b): return e // (n * b)"), "rounded down"),
        (returns("accumulation(e, n, b): return e / (n * b)"), "a number of batches is whole"),
        (returns("accumulation(e, n, b): return e * n // b if e * n % b == 0 else None"), "not more"),
    ],
    ("07_scaling_out", "q3"): [
        (
            returns("newest_checkpoint(f, m): return max(f, key=lambda n: int(n.split('-')[1]), default=None)"),
            "cut short has no marker",
        ),
        (returns("newest_checkpoint(f, m): return max((n for n in f if m in f[n]), default=None)"), "compared as text"),
        (
            returns("newest_checkpoint(f, m): return max((int(n.split('-')[1]) for n in f if m in f[n]), default=None)"),
            "the folder's name",
        ),
        (
            returns("newest_checkpoint(f, m): return max((n for n in f if m in f[n]), key=lambda n: int(n.split('-')[1]))"),
            "ValueError",
        ),
    ],
    ("07_scaling_out", "q4"): [
        (diagnosis("avocet", "nothing is wrong", 1), "count the steps"),
        (diagnosis("avocet", "learning rate too low", 1), "doesn't fit the command"),
        (diagnosis("avocet", "one process instead of two", 2), "what was asked for"),
        (diagnosis("avocet", "completion cut away", 1), "would be 0.0"),
    ],
}

ALSO_RIGHT: dict[tuple[str, str], list[dict]] = {
    ("00_meet_the_model", "q1"): [{"tokens": 1377}, {"tokens": np.int64(1377)}, {"tokens": torch.tensor(1377.0)}],
    ("00_meet_the_model", "q4"): [
        returns(
            "lost_tokens(b, i, a, m):\n  m = float('inf') if m is None else m\n  return [max(0, min(i, b + i - m)), max(0, min(a, b + i + a - m))]"
        )
    ],
    ("01_quantization_memory", "q1"): [{"gigabytes": 4.49}, {"gigabytes": 4.5}],
    ("01_quantization_memory", "q4"): [{"settings": NF4 | {"bnb_4bit_compute_dtype": torch.bfloat16}}],
    ("02_lora_parameters", "q3"): [{"pattern": r"model\.(text_model|language_model)\.layers\.\d+\.self_attn\.[qv]_proj"}],
    ("03_batch_size_memory", "q1"): [
        returns(
            "batch_loss(losses, tokens): return torch.dot(torch.tensor(losses), torch.tensor(tokens).float()) / sum(tokens)",
            torch=torch,
        )
    ],
    ("04_sft_chartqa", "q1"): [
        returns(
            "mask_labels(ids, n, pad):\n  x = torch.tensor(ids)\n  x[:n] = -100\n  x[torch.tensor(ids) == pad] = -100\n  return x",
            torch=torch,
        )
    ],
    ("05_dpo_preferences", "q1"): [
        returns(
            "dpo_loss(pc, pr, rc, rr, beta): return -torch.nn.functional.logsigmoid(torch.tensor(beta * ((pc - rc) - (pr - rr))))",
            torch=torch,
        )
    ],
    ("05_dpo_preferences", "q2"): [{"loss": 0.693}, {"loss": 0.6931}],
    ("06_evaluation", "q3"): [{"questions": 384}, {"questions": 385.0}],
    ("07_scaling_out", "q1"): [
        {"settings": CLI_FIXED | {"lora_target_modules": [r".*text_model.*\.(q_proj|v_proj)"], "max_length": "null"}}
    ],
}
