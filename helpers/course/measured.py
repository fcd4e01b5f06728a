"""The README's figures and times, taken from a run and kept in ``notebooks/measured/results.json``: nobody types them."""

import json
import re
from statistics import mean

from helpers.course.environment import VENV
from helpers.course.marks import with_block
from helpers.course.outputs import spell
from helpers.course.results import read_results
from helpers.course.seeds import read_seeds
from helpers.course.times import lesson_seconds, read_measured
from helpers.paths import MEASURED, ROOT, resolve
from helpers.tiny import measured_by

README = ROOT / "README.md"

# The README's table: what was measured, by which lesson, and how it is written.
_ROWS = (
    ("04_sft_chartqa", "relaxed accuracy on {test_questions} unseen questions, before and after fine-tuning",
     "{base_relaxed_accuracy:.2f}, {sft_relaxed_accuracy:.2f}"),
    ("04_sft_chartqa", "the same, each question with another question's chart", "{blind_relaxed_accuracy:.2f}"),
    ("04_sft_chartqa", "training time; parameters trained",
     "{train_seconds:.0f} s; {trainable_parameters:,} of {total_parameters:,}"),
    ("05_dpo_preferences", "answers that a judge who knows the truth prefers, before and after preference training",
     "{sft_win_rate:.0%}, {dpo_win_rate:.0%}"),
    ("03_batch_size_memory", "worst error of the dry run, against tensors measured alive", "{dry_run_worst_error:.2%}"),
    ("07_scaling_out", "largest difference of a loss between an uninterrupted training and one killed and resumed",
     "{resume_worst_loss_difference:.1g}"),
    ("08_grpo_rewards", "accuracy by a reward alone, before and after GRPO; by one that can be hacked; means of {seeds} seeds",
     "{start_relaxed_accuracy_mean:.2f}, {grpo_relaxed_accuracy_mean:.2f}; {hacked_relaxed_accuracy_mean:.2f}"),
    ("09_serving", "answers over HTTP that are the notebook's, to the letter", "{served_equal_share:.0%}"),
)  # fmt: skip


def keep_measured(run: str) -> dict:
    """Keep the figures and times of ``run`` (a folder such as "runs/tiny") with commit, date and machine, and write them into
    the README; returns what is kept.

    FileNotFoundError if no lesson was executed there.
    """
    folder = resolve(run)
    seconds = lesson_seconds(folder)
    if not seconds:
        raise FileNotFoundError(f"{folder} holds no executed lesson: run `make course` first")
    results = read_results(folder / "results.json")
    kept = {
        **measured_by(),
        "seconds": {name: round(time, 1) for name, time in seconds.items()}, "setup": _setup(), **results,
    }  # fmt: skip
    MEASURED.mkdir(exist_ok=True)
    (MEASURED / "results.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    README.write_text(with_measured(README.read_text(encoding="utf-8"), kept), encoding="utf-8")
    return kept


def with_measured(readme: str, measured: dict) -> str:
    """``readme`` with the times in its table of lessons, and the block of figures, as ``measured`` has them.

    ValueError if the block's marks are gone.
    """
    for lesson, time in measured["seconds"].items():
        row = rf"^(\| \[[^\]]*\]\(notebooks/{lesson}\.ipynb\) \|[^|]*\|)[^|]*\|"
        readme = re.sub(row, rf"\1 {spell(time)} |", readme, flags=re.MULTILINE)
    return with_block(readme, "measured", "python -m helpers measured", _block(measured))


def _block(measured: dict) -> str:
    rows = []
    for lesson, what, figure in _ROWS:
        figures = measured["lessons"].get(lesson)
        if figures:
            figures = figures | _over_seeds(lesson)
            title = f"[{lesson[:2]}](notebooks/{lesson}.ipynb)"
            rows.append(f"| {title} | {what.format_map(figures)} | {figure.format_map(figures)} |")
    total, setup = sum(measured["seconds"].values()), measured["setup"]
    words = (
        f"Measured on {measured['date'][:10]} at commit `{measured['commit'][:7]}`, on {measured['machine']}: all lessons in\n"
        f"{spell(total)}; the set-up before that took {spell(setup['seconds'])} and {setup['bytes'] / 1e9:.1f} GB, its cache "
        "included."
    )
    return "\n".join(["| lesson | measured | figure |", "|---|---|---|", *rows, "", words])


def _over_seeds(lesson: str) -> dict:
    """How many ``seeds`` the course has measured the lesson with, and each figure's mean over them as ``<figure>_mean``."""
    for found in read_seeds(lesson):
        if found.place.startswith("notebooks"):
            means = {f"{name}_mean": mean(values) for name, values in found.figures[lesson].items()}
            return means | {"seeds": len(found.seeds)}
    return {}


def _setup() -> dict:
    """What the set-up of this environment took; if it was made by hand, what is known already."""
    path = VENV / ".setup.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else read_measured()["setup"]
