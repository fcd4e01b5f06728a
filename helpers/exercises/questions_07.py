"""What the exercises of lesson 07 check: settings for the command line, several processes, and what to resume from."""

from helpers.exercises.checks import Case, Diagnosis, Function, Number, Value
from helpers.exercises.exercise import Question
from helpers.exercises.runs import read_run

BROKEN = {
    "use_peft": False,
    "lora_r": 8,
    "lora_target_modules": "q_proj, v_proj",
    "max_length": -1,
    "bf16": False,
    "use_cpu": True,
}


def accumulation(effective, processes, per_device):
    at_once = processes * per_device
    return effective // at_once if effective >= at_once and effective % at_once == 0 else None


def newest_checkpoint(folders, marker):
    return max(_whole(folders, marker), key=_step, default=None)


def _whole(folders, marker):
    return [name for name, files in folders.items() if marker in files]


def _step(name: str) -> int:
    return int(name.rpartition("-")[2])


def _step_or_none(name: str | None) -> int | None:
    return name and _step(name)


def _settings_problem(settings) -> str | None:
    if not isinstance(settings, dict):
        return "settings is a dict: what the YAML file says"
    if problem := _length_problem(settings.get("max_length", 1024)):
        return problem
    if isinstance(settings.get("use_peft"), str):
        return "in quotes it is a text, even if it says false: use_peft is True here, and true in YAML"
    if settings.get("use_peft") is not True:
        return "without use_peft the command trains every weight: nothing in its output says that there is no LoRA"
    if (rank := settings.get("lora_r", 16)) != 8:
        return f"this LoRA has rank {rank!r}; asked is the number 8 (where no lora_r is given, TRL takes 16)"
    targets = settings.get("lora_target_modules")
    if not targets:
        return "PEFT has no default targets for this model, and stops: lora_target_modules has to say which layers"
    if isinstance(targets, str) and "," in targets:
        return "names with commas are one text to the parser, and match no layer; in YAML, a list or one pattern"
    return _targets_problem(settings, targets)


def _length_problem(max_length) -> str | None:
    if max_length == -1:
        return "max_length -1 is no 'unlimited': it silently cuts the last token of each example. null in YAML, None here"
    if max_length is None or str(max_length).lower() in ("null", "none"):
        return None
    return f"examples are cut at {max_length} tokens (the default is 1024): null in YAML, None here, leaves them whole"


def _targets_problem(settings: dict, targets) -> str | None:
    from peft import LoraConfig  # here: only this exercise builds a model, and its libraries take seconds to import

    from helpers.lora import count_parameters

    if isinstance(targets, list) and len(targets) == 1:
        targets = targets[0]  # as TRL's own parser does
    count = count_parameters("embedded", LoraConfig(r=settings["lora_r"], target_modules=targets))
    if count.modules("vision"):
        return f"that adapts {len(count.modules('vision'))} layers of the vision tower too; a pattern can name the text "
        "model only"
    if count.modules("connector") or count.modules("head"):
        return "that adapts layers outside the text model too"
    ends = {name.rpartition(".")[2] for name in count.modules("text")}
    return None if ends == {"q_proj", "v_proj"} else f"adapted are {', '.join(sorted(ends))}; asked are q_proj and v_proj"


def _processes() -> int:
    facts, log = read_run("avocet").facts, read_run("avocet").log
    at_once = facts["per_device_train_batch_size"] * facts["gradient_accumulation_steps"]
    return facts["num_train_epochs"] * facts["rows"] // (at_once * len(log))


def _newest_marked_last(folders, marker):
    return max((name for name, files in folders.items() if files[-1:] == [marker]), key=_step, default=None)


_TWO = {"checkpoint-90": ["model", "done"], "checkpoint-100": ["model", "done"]}

QUESTIONS = {
    "q1": Question(
        Value(
            "settings",
            _settings_problem,
            "As handed out it runs, without a word, and trains every weight on examples that lack their last token. With LoRA "
            "on, the names with a comma stop it; max_length -1 never does.",
            untouched=BROKEN,
        ),
        (
            "One line at a time: is LoRA on? Where will it land? What is cut?",
            "use_peft True, max_length None, and one pattern as lesson 02 writes it: .*text_model.*\\.(q_proj|v_proj)",
        ),
    ),
    "q2": Question(
        Function(
            "accumulation",
            accumulation,
            [
                Case((64, 2, 8)),
                Case((16, 1, 4)),
                Case((16, 4, 4)),
                Case((32, 8, 2)),
                Case((24, 2, 16), "Where no whole number does, the answer is None."),
                Case((16, 4, 8), "Where no whole number does, the answer is None."),
            ],
            "Twice the processes at the same settings is twice the batch: another training. Halve the accumulation, and "
            "it is the "
            "same one in half the time.",
            mistakes=(
                (
                    lambda e, n, b: e // b if e % b == 0 else None,
                    "every process takes a batch of its own: their number counts too",
                ),
                (lambda e, n, b: e // n if e % n == 0 else None, "each process takes per_device examples at once, not one"),
                (lambda e, n, b: e * n // b if e * n % b == 0 else None, "more processes need less accumulation, not more"),
                (
                    lambda e, n, b: e // (n * b),
                    "rounded down, a step learns from fewer examples than asked, or from none: return None there",
                ),
                (lambda e, n, b: max(1, e // (n * b)), "where no whole number gives the effective batch exactly, return None"),
                (
                    lambda e, n, b: -(-e // (n * b)),
                    "rounded up, a step learns from more examples than asked: return None there",
                ),
                (lambda e, n, b: e / (n * b), "a number of batches is whole, and None where there is no such number"),
            ),
        ),
        (
            "How many examples do all processes take at once?",
            "effective // (processes * per_device) if that leaves no rest, else None.",
        ),
    ),
    "q3": Question(
        Function(
            "newest_checkpoint",
            newest_checkpoint,
            [
                Case((_TWO, "done"), "checkpoint-100 comes after checkpoint-90: compare numbers, not letters."),
                Case(
                    (_TWO | {"checkpoint-110": ["model"]}, "done"),
                    "A checkpoint without its marker was cut short while it was saved: it can't be resumed from.",
                ),
                Case(({"checkpoint-5": ["model"]}, "done"), "Where no checkpoint is whole, the answer is None: start anew."),
                Case(({}, "done"), "Where there is no checkpoint, the answer is None."),
                Case(({"checkpoint-7": ["model", "done"], "checkpoint-8": ["done", "model"]}, "done")),
                Case(({"checkpoint-20": ["a", "ok"], "checkpoint-9": ["ok"], "checkpoint-40": ["done"]}, "ok")),
            ],
            "A marker that is written last is the difference between a checkpoint and a folder that looks like one.",
            mistakes=(
                (
                    lambda folders, marker: max(folders, key=_step, default=None),
                    "a checkpoint that was cut short has no marker: leave it out",
                ),
                (
                    _newest_marked_last,
                    "a list of files is in no order of time: the marker was written last, and may stand anywhere in the list",
                ),
                (
                    lambda folders, marker: max(_whole(folders, marker), default=None),
                    "compared as text, checkpoint-90 comes after checkpoint-100: compare their numbers",
                ),
                (
                    lambda folders, marker: min(_whole(folders, marker), key=_step, default=None),
                    "that is the oldest whole one; the newest has the highest number",
                ),
                (
                    lambda folders, marker: _step_or_none(newest_checkpoint(folders, marker)),
                    "asked is the folder's name, not its step",
                ),
            ),
        ),
        (
            "First leave out what is not whole, then take the highest number.",
            "max(..., key=lambda name: int(name.rpartition('-')[2]), default=None) over the names whose files hold the marker.",
        ),
    ),
    "q4": Question(
        Diagnosis(
            "avocet",
            "one process instead of two",
            {
                "nothing is wrong": "count the steps: two processes would have gone through the rows in half as many",
                "learning rate too low": "the loss falls; it is the number of steps that doesn't fit the command",
                "learning rate too high": "the loss falls; it is the number of steps that doesn't fit the command",
                "completion cut away": "then the loss would be 0.0",
            },
            Number(
                "avocet_evidence",
                _processes,
                "processes",
                "",
                mistakes=lambda: {
                    2: "that is what was asked for; how many does the number of steps say?",
                    len(read_run("avocet").log): "that is the number of steps: how many rows did each take?",
                    read_run("avocet").facts["per_device_train_batch_size"]: "that is what one process takes at once",
                },
            ),
            "The command returned 0 and printed nothing unusual. Let a training say its world size, and compare it with "
            "what you "
            "asked for.",
            asks="how many processes really trained.",
        ),
        (
            "One epoch over run.facts['rows'] rows. How many steps should two processes need?",
            "rows = steps * per_device_train_batch_size * processes: solve for the processes.",
        ),
    ),
}
