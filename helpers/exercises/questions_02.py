"""What the exercises of lesson 02 check: LoRA counted, aimed, found in the wrong place, and made to do much with little."""

import re
from collections.abc import Iterable
from functools import lru_cache

from helpers.exercises.checks import Case, Diagnosis, Function, Number, Value
from helpers.exercises.exercise import Question
from helpers.exercises.runs import read_run

# Models whose module names the pattern is tried on; the learner is told the first two.
_FAMILIES = ("embedded", "SmolVLM2-256M", "Qwen2-VL-2B")
MOST_PARAMETERS, BAR = 45_000, 0.35


def lora_parameters(d_in, d_out, r):
    return r * (d_in + d_out)


def _qv(rank: int, *, vision: bool = False, projections: int = 2) -> int:
    """LoRA's parameters on SmolVLM2-2.2B's q_proj and v_proj, all of them square; a test compares it with PEFT's count."""
    return 24 * projections * lora_parameters(2048, 2048, rank) + vision * 27 * 2 * lora_parameters(1152, 1152, rank)


def _pattern_problem(pattern) -> str | None:
    from helpers.models import component_of  # here: only this exercise needs it, and it takes seconds to import

    if not isinstance(pattern, str):
        return "PEFT takes a list as endings, anywhere in the model; a pattern is a string, which must match the whole name"
    for family in _FAMILIES:
        names = _module_names(family)
        matched = [name for name in names if re.fullmatch(pattern, name)]
        vision = [name for name in matched if component_of(name) == "vision"]
        wanted = [name for name in names if component_of(name) == "text" and re.search(r"\.(q_proj|v_proj)$", name)]
        missed, beside = set(wanted) - set(matched), set(matched) - set(wanted) - set(vision)
        if not matched:
            return f"your pattern matches nothing in {family}: its names look like {wanted[0]}"
        if vision:
            return f"your pattern also matches {len(vision)} layers of the vision tower of {family}, such as {vision[0]}"
        if missed:
            return f"your pattern misses {len(missed)} of {len(wanted)} layers of {family}, such as {sorted(missed)[0]}"
        if beside:
            return f"your pattern also matches {len(beside)} modules that nobody asked for in {family}, such as "
            f"{sorted(beside)[0]}"
    return None


@lru_cache
def _module_names(family: str) -> list[str]:
    from helpers.models import load_config, meta_model

    return [name for name, _ in meta_model(load_config(family)).named_modules()]


def _vision_layers() -> set[str]:
    names = (name.split(".lora_")[0] for name in read_run("kestrel").facts["adapter_tensors"])
    return {name for name in names if ".vision_model." in name}


def _layers_problem(layers) -> str | None:
    layers = list(layers) if isinstance(layers, Iterable) and not isinstance(layers, str) else [None]
    if not all(isinstance(name, str) for name in layers):
        return "it is a list of names of layers, as they begin in adapter_tensors"
    if any(".lora_" in name for name in layers):
        return "those are tensors: each adapted layer has two, lora_A and lora_B. A layer's name ends before .lora_"
    found, true = set(layers), _vision_layers()
    if text := [name for name in found - true if ".text_model." in name]:
        return f"{len(text)} of them are layers of the text model, which were meant to be adapted"
    return None if found == true else f"these are {len(found)} names, {len(found & true)} of the {len(true)} layers"


def _little_problem(settings) -> str | None:
    from helpers.exercises import trials  # here: it trains, and needs torch, TRL and PEFT

    if not isinstance(settings, dict) or not {"r", "target_modules", "learning_rate"} <= set(settings):
        return "settings is a dict with r, target_modules and learning_rate; lora_alpha may be in it too"
    trainable, vision = trials.count(settings)
    if trainable > MOST_PARAMETERS:
        return f"{trainable:,} trainable parameters; at most {MOST_PARAMETERS:,} are allowed. A lower r, or fewer layers"
    if vision:
        return f"{vision} of the adapted layers are in the vision tower: the numbers are to be spent on the text model alone"
    accuracy = trials.accuracy_with_lora(settings)
    if accuracy >= BAR:
        return None
    return f"relaxed accuracy {accuracy:.2f} with {trainable:,} parameters; the bar is {BAR}"


QUESTIONS = {
    "q1": Question(
        Function(
            "lora_parameters",
            lora_parameters,
            [Case((2048, 2048, 8)), Case((960, 320, 16)), Case((576, 1536, 1)), Case((3, 5, 2)), Case((128, 128, 4))],
            "The price of LoRA grows with the sum of a layer's sides, that of full fine-tuning with their product.",
            mistakes=(
                (lambda d_in, d_out, r: d_in * d_out, "that is the frozen matrix W; LoRA trains the two thin ones, A and B"),
                (lambda d_in, d_out, r: r * d_in * d_out, "A and B are stored apart: their sizes are added, not multiplied"),
                (lambda d_in, d_out, r: r * d_in, "that is A alone; B has r columns too, one row for each output"),
                (lambda d_in, d_out, r: r * d_out, "that is B alone; A has r rows too, one column for each input"),
                (lambda d_in, d_out, r: 2 * r * d_in, "B is d_out x r: it has the size of A only where the layer is square"),
                (
                    lambda d_in, d_out, r: d_in * d_out + r * (d_in + d_out),
                    "the frozen matrix is not trained: count A and B only",
                ),
            ),
        ),
        ("Two matrices: A is r x d_in, B is d_out x r.", "r * d_in numbers in A and d_out * r in B; add them."),
    ),
    "q2": Question(
        Number(
            "trainable",
            lambda: _qv(16),
            "parameters",
            "A count that differs from yours is the quickest sign that an adapter lies somewhere else than you think.",
            mistakes=lambda: {
                _qv(16, vision=True): "that counts the vision tower's q_proj and v_proj too: the pattern names the text "
                "model only",
                _qv(8): "that is half: rank 8 instead of 16, or only one of A and B, or of the two projections",
                lora_parameters(2048, 2048, 16): "that is one matrix; there are two in each of 24 layers",
                lora_parameters(2048, 2048, 16) * 2: "that is one layer; there are 24",
                48 * 2048 * 2048: "those are the frozen matrices; LoRA trains A and B beside each",
            },
        ),
        ("One matrix first: r * (d_in + d_out).", "Two matrices in each of 24 layers, all 2,048 x 2,048, at rank 16."),
    ),
    "q3": Question(
        Value(
            "pattern",
            _pattern_problem,
            "A pattern says where, a list only what; and one that names both language_model and text_model serves two "
            "families.",
        ),
        (
            "The whole name must match, so begin with .* and end with the projections. What do the text models' names have in "
            "common, and the vision towers' not?",
            "SmolVLM's layers lie below text_model, Qwen's below language_model: (text_model|language_model) in the "
            "middle, and "
            "an escaped dot before (q_proj|v_proj).",
        ),
    ),
    "q4": Question(
        Diagnosis(
            "kestrel",
            "adapter in the vision tower",
            {
                "nothing is wrong": "the training went well, but more was trained than was meant: read the names of the "
                "tensors",
                "image tokens in the loss": "this loss is computed on answers alone; look at what is trained, not at "
                "what is learnt",
                "learning rate too high": "the loss falls steadily and the norm of the gradient stays small: the steps "
                "aren't too large",
                "completion cut away": "with nothing to learn the loss would be 0.0 and stay there",
            },
            Value("kestrel_evidence", _layers_problem, ""),
            "q_proj and v_proj exist in both towers, and PEFT takes a list as endings. It isn't always harmful; it is "
            "never what "
            "you thought you had trained.",
        ),
        (
            "The loss looks healthy. Print some of run.facts['adapter_tensors'], from the beginning and from the end.",
            "Split each name at '.lora_', put the parts into a set, and keep those that contain 'vision_model'.",
        ),
    ),
    "q5": Question(
        Value(
            "settings",
            _little_problem,
            "Few numbers are enough where the learning rate suits them: at 1e-4 the solution's adapter stays below the bar.",
            untouched={"r": 16, "target_modules": ["q_proj", "v_proj"], "learning_rate": 1e-4},
        ),
        (
            "The learning rate first: LoRA wants larger ones than full fine-tuning. Lesson 02 trained with a few thousandths.",
            "Rank 4 on all seven kinds of layers of the text model, by lesson 02's pattern.",
        ),
    ),
}
