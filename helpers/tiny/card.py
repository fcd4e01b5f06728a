"""The model card, written by the run that it reports: no figure in it is typed by hand."""

import hashlib
import math
import platform
import re
from pathlib import Path

import numpy as np
from safetensors import safe_open

from helpers.data import QUESTION_KINDS
from helpers.tiny.curriculum import form_questions, invented_chart

_TEMPLATE = Path(__file__).with_name("model_card.md")
CLAIMED = 0.90  # a form that is right less often is named among the limits


def write_card(folder: Path, log: list[dict], skills: dict[str, float], unseen: int, charts: int) -> None:
    """``README.md`` in ``folder``, beside the weights.

    ``log``: of the stages; ``skills``: share right by form, on ``unseen`` charts; ``charts``: how many it was trained on.
    """
    weights = folder / "model.safetensors"
    with safe_open(weights, "pt") as tensors:
        parameters = sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    stages = last_rows(log)
    example = form_questions(*invented_chart(np.random.default_rng(0)), np.random.default_rng(0))
    claimed = {form: share for form, share in skills.items() if share >= CLAIMED}
    weak = [f"{form} (`{example[form][1].question}`, {share:.2f})" for form, share in skills.items() if form not in claimed]
    text = _TEMPLATE.read_text(encoding="utf-8").format(
        parameters=parameters, megabytes=weights.stat().st_size / 1e6, charts=charts, unseen=unseen,
        kinds=", ".join(QUESTION_KINDS),
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(), machine=f"two cores of {processor_name()}",
        stages="\n".join(f"| {stage} | {row['step']:,} of 32 | {row['seconds']:,.0f} |" for stage, row in stages.items()),
        skills="\n".join(
            f"| {form} | `{example[form][1].question}` | {example[form][0]} | {share:.2f} |" for form, share in claimed.items()
        ),
        weak=f"- Forms that it was taught and has not mastered: {'; '.join(weak)}.\n" if weak else "",
    )  # fmt: skip
    (folder / "README.md").write_text(text, encoding="utf-8")


def last_rows(log: list[dict]) -> dict[str, dict]:
    """The last row of each stage of a pretraining's log."""
    return {row["stage"]: row for row in log}


def processor_name() -> str:
    """The processor's name as Linux tells it; elsewhere its kind."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.machine()
