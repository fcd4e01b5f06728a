"""Drawing what an evaluation finds: models by question kind, differences, seeds, and a model that learns by heart."""

import matplotlib.pyplot as plt
import numpy as np

from helpers.evaluation import PairedTest, bootstrap_interval
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


def plot_paired(tests: dict[str, PairedTest], label: str):
    """Paired differences with their 95 % intervals against a line at zero: one row for each of ``tests``."""
    figure, ax = plt.subplots(figsize=(7.5, 0.5 * len(tests) + 1.2))
    for at, test in enumerate(tests.values()):
        color, marker = ("#777777", "o") if test.verdict == "undecided" else (AFTER, "s")
        ax.plot([test.low, test.high], [at, at], color=color, linewidth=2.5)
        ax.plot(test.difference, at, marker, color=color, markersize=8)
        ax.annotate(
            f"{test.difference:+.2f}", (test.difference, at), (0, 7), textcoords="offset points", ha="center", fontsize=8
        )
    ax.axvline(0, color="#333333", linewidth=1)
    ax.set_yticks(range(len(tests)), list(tests))
    ax.set_ylim(len(tests) - 0.4, -0.7)
    ax.set_xlabel(f"{label} (square: decided, circle: the interval holds zero)")
    ax.grid(axis="x", alpha=0.3)
    return figure


def plot_seeds(seeds: list[int], scores: list[float], interval: tuple[float, float]):
    """The score of each seed as a dot, and the 95 % ``interval`` of the first one's."""
    figure, ax = plt.subplots(figsize=(6, 2.6))
    ax.axvspan(*interval, color=BEFORE, alpha=0.25, label=f"95 % interval of seed {seeds[0]}: other questions")
    ax.plot(scores, range(len(seeds)), "s", color=AFTER, label="a seed: another training")
    ax.set_yticks(range(len(seeds)), [f"seed {seed}" for seed in seeds])
    ax.set_ylim(len(seeds) - 0.5, -0.5)
    ax.set_xlabel("relaxed accuracy after SFT")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False, fontsize=8)
    ax.grid(axis="x", alpha=0.3)
    return figure
