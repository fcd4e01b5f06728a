"""``make gpu``: ten minutes with the GPU of this machine. Is the dry run right on it, is it kept busy, do the lessons end?

Without a network: a random model of SmolVLM2-2.2B's size and ChartQA-mini. Each stage's figures are kept as soon as they are
there, so a run that was stopped goes on where it was; another card, commit or set of versions begins anew, as do files that
were changed since the commit.
"""

import json
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

from helpers.course.gpu_lessons import bound, chosen_lessons, lesson_bounds, run_on_gpu, settings_of
from helpers.course.gpu_model import random_model
from helpers.course.gpu_peaks import SETTINGS, lesson_lora, measure_steps
from helpers.course.gpu_speed import Plan, measure_speed, measure_trl
from helpers.course.profiles import examples_a_step, load_profile
from helpers.data import load_chartqa
from helpers.lora import count_parameters
from helpers.memory import free_memory
from helpers.models import Hardware, choose_precision, choose_profile, detect, load_processor
from helpers.paths import CACHE, NOTEBOOKS
from helpers.tiny import measured_by

MEASURED = NOTEBOOKS / "measured" / "gpu.json"
PROFILES = {"gpu": ("gpu", "t4", "tiny"), "t4": ("t4", "tiny"), "tiny": ("tiny",)}  # what a card of that profile can run
DRY_RUN_TOLERANCE, TIMES_TRL, SHARE_OF_CARD, WAIT = 0.01, 2.0, 0.8, 0.1
_STEPS = 14  # optimizer steps of each training whose speed is measured: three times what loading processes prepare ahead
_PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets")


def use_gpu(all_lessons: bool = False, data: str = "embedded", minutes: float | None = None) -> int:
    """Measure, print a table, write ``notebooks/measured/gpu.json``; 0 if everything that was reached is as it must be.

    ``all_lessons``: every lesson of every profile that the card can run, without a limit of time. ``data``: of
    :func:`helpers.data.load_chartqa`. ``minutes``: after which nothing more is begun; 10, or None for ``all_lessons``.
    """
    hardware = detect()
    if hardware.device != "cuda":
        print("skipped: there is no CUDA GPU here (what was measured on one is in docs/gpu.md)")
        return 0
    limit = minutes or (float("inf") if all_lessons else 10)
    report = examine_gpu(hardware, CACHE / "gpu", data, chosen(hardware, all_lessons), deadline=time.monotonic() + 60 * limit)
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\n{table(report)}\n\nwritten to {MEASURED}")
    return 0 if all(row["holds"] for row in report["bounds"]) else 1


def chosen(hardware: Hardware, all_lessons: bool) -> list:
    return chosen_lessons(all_lessons, PROFILES[choose_profile(hardware)[0]])


def examine_gpu(
    hardware: Hardware, folder: Path, data: str, lessons: list, *, architecture: str = "SmolVLM2-2.2B",
    settings: tuple = SETTINGS, steps: int = _STEPS, deadline: float = float("inf"),
) -> dict:  # fmt: skip
    """The report: what it was measured on, the stages' figures, what was left for another run, and what had to be true.

    ``folder``: for the model, the lessons' runs and what is kept. Everything but ``hardware`` can be small: the same code runs
    on a CPU, where bytes are those of living tensors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    precision = choose_precision("auto", hardware)[0]
    made_on = {"card": hardware.name, "memory_gb": hardware.memory_bytes / 1e9, "precision": precision, "data": data}
    about = measured_by()
    made_on |= {"model": f"{architecture}, random weights", "commit": about["commit"], "machine": about["machine"]}
    made_on |= {"versions": {name: version(name) for name in _PACKAGES}}
    kept = Kept(folder / "kept.json", made_on)
    model = str(random_model(architecture, folder / architecture, hardware.device, precision))
    free_memory()
    processor = load_processor(model)
    train = partial(load_chartqa, data, "train")
    values = load_profile("gpu")
    speeds = train(steps * examples_a_step("gpu", values["BATCH_SIZE"], values["GRADIENT_ACCUMULATION"]), seed=0)

    @cache
    def plan() -> Plan:  # by dry runs, if nothing is kept
        return Plan.of_profile(values, model, processor, speeds, precision, hardware, steps)

    stages: dict[str, Callable[[], dict]] = {}
    for setting in settings:
        stages[f"steps: {setting.name}"] = partial(
            measure_steps, model, processor, train(1, seed=0)[0], setting, precision, hardware
        )
    if any(profile == "gpu" for profile, _ in lessons):
        stages["speed: lesson 04 and the card"] = lambda: measure_speed(plan(), processor, speeds, folder / "speed")
        stages["speed: trl sft"] = lambda: {"trl": measure_trl(plan(), speeds, folder / "speed")}
    for profile, lesson in lessons:
        stages[f"lesson: {lesson.name} of {profile}"] = lambda profile=profile, lesson=lesson: run_on_gpu(
            profile, lesson, settings_of(profile, lesson, model, data), folder / "runs", deadline - time.monotonic()
        )
    left = kept.run(stages, deadline)
    report = made_on | {"date": datetime.now(UTC).date().isoformat(), "stages": kept.figures, "left": left}
    return report | {"bounds": bounds(report, count_parameters(model, lesson_lora(model)).trainable)}


class Kept:
    """Figures of the stages that are done, in a file that is renewed after each. ``figures``: by the stage's name.

    ``made_on``: what they depend on, its ``commit`` as :func:`helpers.tiny.measured_by` names it. Where that doesn't say which
    code it was, nothing of an earlier run is taken.
    """

    def __init__(self, path: Path, made_on: dict) -> None:
        self.path, self.made_on = path, made_on
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        says_the_code = made_on["commit"] != "unknown" and not made_on["commit"].endswith("+")
        self.figures: dict[str, dict] = found["figures"] if says_the_code and found.get("made_on") == made_on else {}

    def run(self, stages: dict[str, Callable[[], dict]], deadline: float) -> list[str]:
        """Those that aren't done yet, each unless the deadline has passed; returns the names of what is left."""
        left = []
        for name, stage in stages.items():
            if name in self.figures and "failed" not in self.figures[name]:
                continue
            if time.monotonic() >= deadline:
                left.append(name)
                continue
            print(name, end=" ", flush=True)
            began = time.monotonic()
            try:
                self.figures[name] = stage()
            except TimeoutError:
                left.append(name)
                continue
            except Exception as error:  # a broken stage must not cost the others
                traceback.print_exc()
                self.figures[name] = {"failed": f"{type(error).__name__}: {error}"}
            print(f"({time.monotonic() - began:.0f} s)", flush=True)
            self.path.write_text(json.dumps({"made_on": self.made_on, "figures": self.figures}, indent=1), encoding="utf-8")
        return left


def bounds(report: dict, trainable: int) -> list[dict]:
    """What had to be true of the stages that were reached."""
    rows, speed = [], {}
    for name, figures in report["stages"].items():
        kind, _, what = name.partition(": ")
        if "failed" in figures:
            rows.append(bound(f"{what} ends", figures["failed"], False, "no error"))
        elif kind == "steps" and "dry_run_error" in figures:
            error, wanted = figures["dry_run_error"], f"within {DRY_RUN_TOLERANCE}"
            rows.append(bound(f"dry run of {what}: error", error, abs(error) <= DRY_RUN_TOLERANCE, wanted))
        elif kind == "speed":
            speed |= figures
        elif kind == "lesson":
            lesson, _, profile = what.partition(" of ")
            rows += lesson_bounds(profile, lesson, figures, trainable)
    if {"lesson_with_start", "trl"} <= set(speed):
        times = speed["lesson_with_start"] / speed["trl"]
        rows.append(bound("lesson 04 over trl sft, examples a second", times, times >= TIMES_TRL, f"at least {TIMES_TRL}"))
    if "lesson" in speed:
        share = speed["lesson"] / speed["card_alone"]
        rows.append(bound("lesson 04 over the card alone", share, share >= SHARE_OF_CARD, f"at least {SHARE_OF_CARD}"))
        wait = speed["data_wait_share"]
        rows.append(bound("share of lesson 04's time that waits for data", wait, wait <= WAIT, f"at most {WAIT}"))
    return rows


def table(report: dict) -> str:
    """The report as text, for people."""
    about = (report["card"], f"{report['memory_gb']:.0f} GB", report["precision"], report["date"], f"commit {report['commit']}")
    lines = [", ".join(about), "", f"{'a step':50} {'seconds':>8} {'peak GB':>8} {'reserved':>9} {'dry run':>8}"]
    stages = {name: row for name, row in report["stages"].items() if "failed" not in row}
    for row in (row for name, row in stages.items() if name.startswith("steps")):
        name = f"{row['name']}, batch {row['batch']}"
        sizes = f"{'too large for this card':>27}"
        if "peak_gb" in row:
            sizes = f"{row['step_seconds']:8.3f} {row['peak_gb']:8.2f} {row['reserved_gb']:9.2f}"
        lines.append(f"{name:50} {sizes} {row['dry_run_gb']:8.2f}")
    speed = {key: value for name, row in stages.items() if name.startswith("speed") for key, value in row.items()}
    lines += ["", *(f"{_IN_WORDS[name]:50} {value:8.2f}" for name, value in speed.items())]
    lines += ["", f"{'what had to be true':60} {'seen':>12}   wanted"]
    for row in report["bounds"]:
        seen = f"{row['seen']:12.4g}" if isinstance(row["seen"], float) else f"{row['seen']!s:>12}"
        lines.append(f"{row['what']:60} {seen}   {row['wanted']}{'' if row['holds'] else '   NOT SO'}")
    if report["left"]:
        lines += ["", "time was up before: " + "; ".join(report["left"]) + ". The same command goes on there."]
    return "\n".join(lines)


_IN_WORDS = {
    "lesson": "lesson 04: examples a second", "lesson_with_start": "the same with its first steps",
    "card_alone": "the card alone: examples a second", "data_wait_share": "share of lesson 04's time that waits for data",
    "copy_seconds": "lesson 04: seconds of a step to copy its batches",
    "lesson_peak_gb": "lesson 04: peak GB", "trl": "trl sft, with its first steps: examples a second",
}  # fmt: skip
