"""Drawing what LoRA trains: which parts of a model it reaches, and what a higher rank buys."""

import matplotlib.pyplot as plt
import numpy as np

from helpers.lora import LoraCount
from helpers.models import COMPONENTS
from helpers.plots.figure import AFTER, BEFORE

# Okabe and Ito's colours, with hatches for readers who can't tell them apart.
_STYLES = {
    "vision": {"color": BEFORE, "hatch": "//"}, "connector": {"color": "#CC79A7", "hatch": ".."},
    "text": {"color": AFTER}, "head": {"color": "#009E73", "hatch": "xx"},
}  # fmt: skip


def plot_components(counts: dict[str, LoraCount]):
    """Trainable parameters of several settings, one bar each, split by the part of the model they are in."""
    figure, ax = plt.subplots(figsize=(8, 0.55 * len(counts) + 1.4))
    labels = list(counts)[::-1]
    left = np.zeros(len(labels))
    for component in COMPONENTS:
        width = np.array([counts[label].by_component[component] / 1e6 for label in labels])
        if width.any():
            ax.barh(labels, width, left=left, label=component, edgecolor="white", **_STYLES[component])
        left += width
    for at, label in enumerate(labels):
        text = f"{left[at]:.1f} ({counts[label].percent:.2f} %)"
        ax.annotate(text, (left[at], at), (5, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set(xlabel="trainable parameters, millions", xlim=(0, 1.3 * left.max()))
    ax.legend(loc="upper right", title="part of the model")
    ax.grid(axis="x", alpha=0.3)
    return figure


def plot_ranks(rows: list[dict], base: float):
    """Accuracy against trainable parameters, a point for each rank with its 95 % interval, beside the ``base`` model's.

    ``rows`` have ``rank``, ``trainable``, ``accuracy``, ``low`` and ``high``.
    """
    figure, ax = plt.subplots(figsize=(7.5, 3.8))
    trainable = [row["trainable"] for row in rows]
    accuracy = np.array([row["accuracy"] for row in rows])
    around = np.abs(np.array([[row["low"] for row in rows], [row["high"] for row in rows]]) - accuracy)
    ax.errorbar(trainable, accuracy, yerr=around, color=AFTER, marker="s", capsize=4, label="after fine-tuning")
    ax.axhline(base, color=BEFORE, linestyle="--", label="before")
    ax.set(xscale="log", xlabel="trainable parameters", ylabel="relaxed accuracy", ylim=(0, 1))
    ax.set_xticks(trainable, [f"{row['trainable']:,}\nrank {row['rank']}" for row in rows])
    ax.minorticks_off()
    ax.margins(x=0.15)
    ax.legend(loc="upper left")
    ax.grid(alpha=0.3)
    return figure
