"""Lessons on a GPU, each headless in a process of its own, with few steps: that they end, and what they record."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

from helpers.course.notebooks import Lesson, find_lessons, select_lessons
from helpers.course.results import read_results
from helpers.paths import ROOT

# What a few steps need; everything else is the profile's. The embedded model's profile runs as it is.
FEW = {
    "MAX_STEPS": 4, "EVAL_STEPS": 2, "N_TRAIN": 64, "N_VAL": 4, "N_TEST": 8, "N_CHARTS": 4, "LORA_RANKS": "4,8",
    "RANK_STEPS": 2, "RANK_QUESTIONS": 8, "PRECISION_QUESTIONS": 8, "STEP_EXAMPLES": 2, "DPO_STEPS": 4, "N_PAIRS": 32,
    "N_PRACTICE": 8, "N_TEST_PAIRS": 8, "CLINIC_STEPS": 2, "N_CLINIC": 4, "JUDGE_QUESTIONS": 16, "JUDGE_PAIRS": 8,
    "DESCRIBED_CHARTS": 2, "COMPARE_STEPS": 2, "COMPARE_QUESTIONS": 8, "SMALL_DATA": 8, "OVERFIT_STEPS": 4,
    "OVERFIT_LOOKS": 2,
    "SCALING_STEPS": 4, "SERVED_QUESTIONS": 4, "LOAD_QUESTIONS": 2, "START_QUESTIONS": 16, "START_STEPS": 2, "GRPO_STEPS": 2,
    "GROUPS": 2, "HACK_STEPS": 1,
}  # fmt: skip
_LEAST_GAIN = 0.4  # on a CPU 0.6, on an H200 in bfloat16 too: less would mean that something is broken
SHORT = (("gpu", "04"), ("gpu", "05"), ("t4", "04"), ("tiny", "04"))  # ten minutes' worth of profiles and lessons


def chosen_lessons(all_of_them: bool, profiles: tuple[str, ...]) -> list[tuple[str, Lesson]]:
    """(profile, lesson), in the order they run: ``SHORT`` of them, or every lesson of every profile."""
    lessons = find_lessons()
    if all_of_them:
        return [(profile, lesson) for profile in profiles for lesson in select_lessons([], lessons)]
    return [(profile, select_lessons([number], lessons)[0]) for profile, number in SHORT if profile in profiles]


def settings_of(profile: str, lesson: Lesson, model: str, data: str) -> dict:
    """``--set`` of the lesson: few steps of ``model``, or the embedded model on the GPU.

    The embedded model's profile loads its pictures itself, for two cores: an H200 waited seven tenths of the training for that.
    """
    wanted = {"DEVICE": "auto", "N_WORKERS": "auto"} if profile == "tiny" else FEW | {"MODEL": model, "DATASET": data}
    return {name: value for name, value in wanted.items() if name in lesson.parameters}


def run_on_gpu(profile: str, lesson: Lesson, settings: dict, folder: Path, seconds: float) -> dict:
    """The figures that the lesson recorded, or ``{"failed": why}``. What it printed is in ``folder`` beside its notebook.

    ``seconds``: no longer than that; TimeoutError, and the lesson is as if it had never begun.
    """
    out = folder / profile
    out.mkdir(parents=True, exist_ok=True)
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "helpers", "run", lesson.name, "--profile", profile, "--out", str(out), *words]
    said = out / f"{lesson.name}.txt"
    with said.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=os.environ | _alone())
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{lesson.name} of {profile} needs longer") from error
        finally:
            _end(process)
    if code:
        failed = [line for line in said.read_text(encoding="utf-8").splitlines() if " failed at " in line]
        return {"failed": failed[-1] if failed else f"exit {code}; its words are in {said}"}
    return read_results(out / "results.json")["lessons"].get(lesson.name, {})


def _end(process: subprocess.Popen) -> None:
    """Where it runs still, it and all that it has started: a kernel, and what that started, would keep the GPU."""
    if process.poll() is None:
        started = psutil.Process(process.pid).children(recursive=True)
        for one in (process, *started):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
        psutil.wait_procs(started, timeout=10)


def _alone() -> dict[str, str]:
    """The course as it stands here comes first, and what this process keeps on the GPU is its own affair."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}


def bound(name: str, value: float, holds: bool, wanted: str) -> dict:
    """One thing that had to be true: what was seen, and what was wanted."""
    return {"what": name, "seen": value, "wanted": wanted, "holds": bool(holds)}


def lesson_bounds(profile: str, lesson: str, figures: dict, trainable: int) -> list[dict]:
    """What must be true of the figures of a lesson that ended. ``trainable``: what its adapter has, computed."""
    name = f"{lesson} of {profile}"
    bounds = [bound(f"{name} ends", "yes", True, "no error")]
    if lesson.startswith("04") and profile != "tiny":
        counted = figures["trainable_parameters"]
        bounds.append(bound(f"{name}: parameters trained", counted, counted == trainable, f"{trainable}, as computed"))
    if lesson.startswith("04") and profile == "tiny":  # the only model here whose accuracy means something
        gain = figures["sft_relaxed_accuracy"] - figures["base_relaxed_accuracy"]
        bounds.append(bound(f"{name}: gain in relaxed accuracy", gain, gain >= _LEAST_GAIN, f"at least {_LEAST_GAIN}"))
    return bounds
