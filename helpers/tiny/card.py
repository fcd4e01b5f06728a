"""The model card, written by the run that it reports: no figure in it is typed by hand."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import safe_open

from helpers.data import QUESTION_KINDS
from helpers.tiny.curriculum import form_questions, invented_chart

_TEMPLATE = Path(__file__).with_name("model_card.md")
CLAIMED = 0.93  # a form that is right less often is named among the limits
_CHOSEN = """
## The lessons' settings, chosen on validation

`python -m helpers.tiny tune`: a row is one training, with seed 0 where no other is named, judged by validation questions and
pairs alone. The last row of a table is what `notebooks/profiles/tiny.yaml` had when it was made; the first figure after the
settings decides. For lesson 05 it does so among trainings of at most 1,400 steps, for the lesson's time, that lose at most 0.02
of relaxed accuracy on the mean of their seeds.
"""
_REBUILT = """
Trained again from nothing, with the same seed (`python -m helpers.tiny rebuilt FOLDER` adds a row):

| date | commit | machine | farthest from the table above | its forms on the mean | not mastered |
|---|---|---|---|---|---|
"""
_ABOUT = ("charts", "unseen", "seed", "commit", "date", "machine", "minutes")


def read_made(folder: Path) -> dict:
    """What the run that made the weights in ``folder`` was and measured: seed, commit, date, machine, minutes, skills, ..."""
    return json.loads((folder / "made.json").read_text(encoding="utf-8"))


def keep_made(folder: Path, made: dict) -> None:
    """Write ``made.json`` beside the weights in ``folder``, and the card ``README.md`` from it and from the run's log."""
    (folder / "made.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    log = json.loads((folder / "pretraining_log.json").read_text(encoding="utf-8"))
    (folder / "README.md").write_text(_card(folder, made, log), encoding="utf-8")


def note_rebuild(folder: Path, other: Path) -> None:
    """Add to the card in ``folder`` what another run of the same recipe, whose weights lie in ``other``, came to.

    ValueError if that run had another seed, or was judged by other forms.
    """
    made, again = read_made(folder), read_made(other)
    if again["seed"] != made["seed"] or again["skills"].keys() != made["skills"].keys():
        raise ValueError(f"{other} is no rebuild of {folder}: it has another seed, or other forms")
    row = {key: again[key] for key in ("commit", "date", "machine", "compared_right", "skills")}
    keep_made(folder, made | {"rebuilt": [*made.get("rebuilt", ()), row]})


def _card(folder: Path, made: dict, log: list[dict]) -> str:
    weights = folder / "model.safetensors"
    with safe_open(weights, "pt") as tensors:
        parameters = sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    skills = made["skills"]
    example = form_questions(*invented_chart(np.random.default_rng(0)), np.random.default_rng(0))
    claimed = {form: share for form, share in skills.items() if share >= CLAIMED}
    weak = [f"{form} (`{example[form][1].question}`, {share:.2f})" for form, share in skills.items() if form not in claimed]
    return _TEMPLATE.read_text(encoding="utf-8").format(
        parameters=parameters, megabytes=weights.stat().st_size / 1e6, kinds=", ".join(QUESTION_KINDS),
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        stages="\n".join(
            f"| {stage} | {row['step']:,} of 32 | {row['seconds']:,.0f} |" for stage, row in last_rows(log).items()
        ),
        skills="\n".join(
            f"| {form} | `{example[form][1].question}` | {example[form][0]} | {share:.2f} |" for form, share in claimed.items()
        ),
        weak=f"- Forms that it was taught and has not mastered: {'; '.join(weak)}.\n" if weak else "",
        compared="\n".join(f"| {seed} | {right:.3f} |" for seed, right in made["compared_right"].items()),
        rebuilt=_rebuilt(skills, made.get("rebuilt", ())), tuned=_tuned(made.get("tuned", {})),
        **{key: made[key] for key in _ABOUT},
    )  # fmt: skip


def _rebuilt(skills: dict[str, float], rebuilds: Sequence[dict]) -> str:
    """A row for each rebuild: how far its shares lie from those of the weights that are shipped."""
    rows = []
    for one in rebuilds:
        off = {form: one["skills"][form] - share for form, share in skills.items() if share >= CLAIMED}
        form = max(off, key=lambda form: abs(off[form]))
        weak = ", ".join(f"{form} {one['skills'][form]:.2f}" for form in skills if form not in off)
        about = f"| {one['date'][:10]} | `{one['commit'][:9]}` | {one['machine']} "
        rows.append(f"{about}| {form}, {off[form]:+.3f} | {np.mean(list(off.values())):+.3f} | {weak} |\n")
    return _REBUILT + "".join(rows) if rows else ""


def _tuned(searches: dict[str, list[dict]]) -> str:
    """The tables of :mod:`helpers.tiny.tune`, one a lesson."""
    text = _CHOSEN if searches else ""
    for lesson, rows in searches.items():
        head = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
        cells = ["| " + " | ".join(f"{round(value, 5):g}" for value in row.values()) + " |" for row in rows]
        text += f"\nLesson {lesson}:\n\n" + "\n".join([*head, *cells]) + "\n"
    return text


def last_rows(log: list[dict]) -> dict[str, dict]:
    """The last row of each stage of a pretraining's log."""
    return {row["stage"]: row for row in log}
