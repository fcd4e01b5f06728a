"""Choose the settings of lessons 04, 05 and 06 on validation questions and pairs: ``python -m helpers.tiny tune``.

One training for each row by the lesson itself, with seed 0 where the row doesn't say another; the tables go into the card
beside the weights. The test split has no part in it: it judges once, what was chosen.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from helpers.paths import NOTEBOOKS, ROOT
from helpers.tiny.card import keep_made, read_made


@dataclass(frozen=True)
class Search:
    """``changes`` to the profile's values, one training each; ``judges``: the figures that the table shows, the first decides.

    No change at all comes last: what it leaves is what the next lesson builds on. ``shortened``: parts of the lesson that have
    nothing to do with it. ``start``: the lesson whose model it goes on from, made once for each seed.
    """

    lesson: str
    changes: tuple[dict, ...]
    judges: tuple[str, ...]
    shortened: dict
    start: str = ""


_SHORT = {"MAX_STEPS": 260, "EVAL_STEPS": 65}
SEARCHES = (
    Search(
        "04",
        (
            *(_SHORT | {"LEARNING_RATE": rate} for rate in (1e-3, 3e-3, 4e-3)),
            *(_SHORT | {"LORA_RANK": rank} for rank in (8, 32)),
            _SHORT,
            {},
        ),
        ("sft_relaxed_accuracy", "blind_relaxed_accuracy"),
        {"DESCRIBED_CHARTS": 2},
    ),
    Search(
        "05",
        (
            {"SEED": 1, "DPO_STEPS": 800, "N_PRACTICE": 750, "BETA": 0.5},
            {"SEED": 1, "DPO_STEPS": 800, "N_PRACTICE": 750, "DPO_LEARNING_RATE": 1.6e-3},
            {"SEED": 1, "DPO_STEPS": 1600, "N_PRACTICE": 750},
            {"SEED": 1, "DPO_STEPS": 1200, "N_PRACTICE": 250},
            *({"SEED": seed, "N_PRACTICE": 150} for seed in (1, 2)),
            *({"SEED": seed} for seed in (1, 2)),
            {},
        ),
        ("reward_accuracy", "dpo_win_rate", "sft_relaxed_accuracy", "dpo_relaxed_accuracy"),
        {"CLINIC_STEPS": 1, "N_CLINIC": 4},
        start="04",
    ),
    Search(
        "06",
        ({"TOWER_LEARNING_RATE": 2e-3}, {"TOWER_LEARNING_RATE": 5e-4}, {}),
        ("layers_text_connector_and_tower", "layers_text"),
        {"OVERFIT_STEPS": 2, "OVERFIT_LOOKS": 1, "JUDGE_QUESTIONS": 8, "JUDGE_PAIRS": 8, "DESCRIBED_CHARTS": 2},
    ),
)


def tune(model: Path, folder: Path, wanted: tuple[str, ...] = ()) -> None:
    """Run the searches, of ``wanted`` lessons only if any are, in ``folder``, and note them in the card of ``model``'s weights.

    RuntimeError if a lesson fails; what was found so far stands in the card.
    """
    shutil.rmtree(folder, ignore_errors=True)  # lessons that another profile or model has left there are no start
    profile = yaml.safe_load((NOTEBOOKS / "profiles" / "tiny.yaml").read_text(encoding="utf-8"))
    for search in SEARCHES:
        if wanted and search.lesson not in wanted:
            continue
        rows = []
        for change in search.changes:
            figures = _run(search, change, folder)
            values = {name: profile[name] for other in search.changes for name in other} | change
            rows.append(values | {figure: figures[figure] for figure in search.judges})
            print(json.dumps(rows[-1]))
            made = read_made(model)
            keep_made(model, made | {"tuned": made.get("tuned", {}) | {search.lesson: rows}})


def _run(search: Search, change: dict, folder: Path) -> dict[str, float]:
    """The figures of the lesson with ``change``, judged on validation; earlier lessons that it builds on lie in ``folder``."""
    folder = folder / f"seed_{change.get('SEED', 0)}"
    if search.start and not any(folder.glob(f"{search.start}_*/merged")):
        _lesson(search.start, {"SEED": change.get("SEED", 0)}, folder)
    return _lesson(search.lesson, search.shortened | change, folder)


def _lesson(lesson: str, change: dict, folder: Path) -> dict[str, float]:
    words = [word for name, value in ({"JUDGE": "val"} | change).items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "helpers", "run", lesson, "--profile", "tiny", "--out", str(folder), *words]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise RuntimeError(f"lesson {lesson} failed with {change or 'the values of the profile'}; its message is above")
    lessons = json.loads((folder / "results.json").read_text(encoding="utf-8"))["lessons"]
    return next(figures for name, figures in lessons.items() if name.startswith(lesson))
