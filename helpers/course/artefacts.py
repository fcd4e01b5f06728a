"""What a lesson made, for the next one: where it lies, the model that an adapter belongs to, and how to have it made first."""

import subprocess
import sys
from pathlib import Path

from helpers.paths import ROOT, output_folder, resolve

BASE = "base_model.txt"


def made_by(lesson: str, what: str, profile: str, model: str | None = None) -> Path:
    """The folder ``what`` ("adapter" or "merged") that ``lesson`` left in this profile's run.

    Where it isn't there, the lesson is run first, with the profile's own values. RuntimeError if that run fails.
    ``model``: the base that its adapter has to belong to; ValueError where it belongs to another.
    """
    folder = output_folder(profile) / lesson / what
    command = ["-m", "helpers", "run", lesson, "--profile", profile, "--out", str(output_folder(profile))]
    if not folder.is_dir():
        print(f"this lesson starts from what {lesson} makes, which is not there yet: running that first, headless,")
        print("with the profile's own model and data (run it yourself beforehand for others)")
        if subprocess.run([sys.executable, *command], cwd=ROOT).returncode:
            raise RuntimeError(f"{lesson} failed. Run it by itself and see why: python {' '.join(command)}")
    if model is not None and resolve(base := base_of(folder.parent / "adapter")) != resolve(model):
        again = f"python {' '.join(command)} --set MODEL={model}"
        raise ValueError(f"what {lesson} left belongs to {base}, and this lesson is about {model}: run {again}")
    return folder


def note_base(adapter: Path, model: str) -> None:
    """Write beside an adapter which model it belongs to: its name, or its path from here where it lies in the same run.

    ``adapter``: ``<run>/<lesson>/adapter``. A run's folder can be moved as a whole.
    """
    run, folder = adapter.resolve().parents[1], resolve(model).resolve()
    if folder.is_dir() and folder.is_relative_to(run):
        model = (Path("../..") / folder.relative_to(run)).as_posix()
    (adapter / BASE).write_text(model, encoding="utf-8")


def base_of(adapter: Path) -> str:
    """The model that an adapter belongs to, as ``load_model`` takes it. FileNotFoundError if nothing says it."""
    if not (adapter / BASE).exists():
        raise FileNotFoundError(f"{adapter} holds no adapter; lesson 04 leaves one in runs/<profile>/04_sft_chartqa/adapter")
    model = (adapter / BASE).read_text(encoding="utf-8").strip()
    beside = (adapter / model).resolve()
    return str(beside) if model.startswith("../../") and beside.is_dir() else model
