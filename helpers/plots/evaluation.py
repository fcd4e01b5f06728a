"""Drawing what an evaluation finds: several models by question kind, and a model that learns its examples by heart."""

import matplotlib.pyplot as plt
import numpy as np

from helpers.evaluation import bootstrap_interval
from helpers.plots.figure import AFTER, BEFORE

# Okabe and Ito's colours, with hatches for readers who can't tell them apart.
_STYLES = ({"color": BEFORE, "hatch": "//"}, {"color": AFTER}, {"color": "#009E73", "hatch": ".."})


def plot_models_by_kind(scores: dict[str, dict[str, list[bool]]]):
    """Accuracy by question kind with 95 % intervals; ``scores``: by model (up to three), then by kind, one a question."""
    models, kinds = list(scores), sorted(next(iter(scores.values())))
    thick = 0.8 / len(models)
    figure, ax = plt.subplots(figsize=(7.5, 0.75 * len(kinds) + 1.2))
    for at, (model, style) in enumerate(zip(models, _STYLES, strict=False)):
        means = np.array([np.mean(scores[model][kind]) for kind in kinds])
        low, high = np.array([bootstrap_interval(scores[model][kind]) for kind in kinds]).T
        places = np.arange(len(kinds)) + (at - (len(models) - 1) / 2) * thick
        ax.barh(places, means, thick * 0.95, xerr=(means - low, high - means), capsize=2, label=model, **style)
    ax.set_yticks(range(len(kinds)), [f"{kind} ({len(scores[models[0]][kind])})" for kind in kinds])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.03), xlabel="relaxed accuracy")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(models), frameon=False)
    ax.grid(axis="x", alpha=0.3)
    return figure


def plot_looks(looks: list[dict], kept: int):
    """Loss and accuracy over the steps of a training; ``kept``: the step that the validation loss chooses.

    ``looks`` have ``step``, ``training``, ``validation`` and ``test`` (relaxed accuracy), and ``eval_loss`` of the validation.
    """
    steps = [look["step"] for look in looks]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    left.plot(steps, [look["eval_loss"] for look in looks], color=AFTER, marker="s", label="validation")
    left.set(xlabel="step", ylabel="loss per answer token", yscale="log")
    for name, style in (
        ("training", {"color": BEFORE, "marker": ".", "linestyle": "--"}),
        ("validation", {"color": AFTER, "marker": "s"}),
        ("test", {"color": "#009E73", "marker": "^", "linestyle": "-."}),
    ):
        right.plot(steps, [look[name] for look in looks], label=name, **style)
    right.set(xlabel="step", ylabel="relaxed accuracy", ylim=(0, 1.03))
    for ax in (left, right):
        ax.axvline(kept, color="#555555", linestyle=":", label=f"kept: step {kept}")
        ax.legend(fontsize=8)
        ax.grid(alpha=0.3)
    figure.tight_layout()
    return figure
