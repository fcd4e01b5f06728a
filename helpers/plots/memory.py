"""Drawing memory: what each precision takes and is worth, NF4's levels, and which training fits which GPU."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from helpers.memory import MemoryPlan
from helpers.models import COMPONENTS
from helpers.plots.figure import AFTER, BEFORE

# Okabe and Ito's colours, with hatches for readers who can't tell them apart.
_STYLES = {
    "vision": {"color": BEFORE, "hatch": "//"}, "connector": {"color": "#CC79A7", "hatch": ".."},
    "text": {"color": AFTER}, "head": {"color": "#009E73", "hatch": "xx"},
}  # fmt: skip


def plot_precisions(rows: list[dict]):
    """Bytes of the weights in each precision, by part of the model, each with what else was measured written beside it.

    ``rows`` have ``precision``, ``by_component`` (bytes), ``accuracy`` and ``stated`` (0..1), and ``seconds``.
    """
    figure, ax = plt.subplots(figsize=(8, 0.6 * len(rows) + 1.4))
    labels, left = [row["precision"] for row in rows][::-1], np.zeros(len(rows))
    for component in COMPONENTS:
        width = np.array([row["by_component"].get(component, 0) / 1e6 for row in rows][::-1])
        if width.any():
            ax.barh(labels, width, left=left, label=component, edgecolor="white", **_STYLES[component])
        left += width
    for at, row in enumerate(rows[::-1]):
        text = f"{left[at]:,.2f} MB, accuracy {row['accuracy']:.2f}, stated {row['stated']:.2f}, {row['seconds']:.1f} s"
        ax.annotate(text, (left[at], at), (5, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set(xlabel="weights, MB", xlim=(0, 1.85 * left.max()))
    ax.legend(loc="lower right", title="part of the model")
    ax.grid(axis="x", alpha=0.3)
    return figure


def plot_levels(scaled: torch.Tensor, levels: torch.Tensor):
    """How often each value occurs in ``scaled`` weights (divided by their block's largest), and the levels they round to."""
    figure, ax = plt.subplots(figsize=(8, 3.2))
    ax.hist(scaled.flatten().numpy(), bins=200, density=True, color=BEFORE, label="weights, divided by their block's largest")
    for at, level in enumerate(levels.tolist()):
        ax.axvline(level, color=AFTER, linestyle="--", linewidth=1, label="the levels of NF4" if at == 0 else None)
    ax.set(xlabel="value", ylabel="density", yscale="log")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    return figure


def plot_fit_map(plans: dict[str, MemoryPlan], gpus_gb: tuple[int, ...], most_tiles: int = 17, most_examples: int = 64):
    """What a training step takes by batch size and image tiles, a panel for each method, with a line for each GPU's memory."""
    tiles, sizes = np.arange(1, most_tiles + 1), 2 ** np.linspace(0, np.log2(most_examples), 60)
    figure, panels = plt.subplots(1, len(plans), figsize=(3.3 * len(plans), 3.8), sharey=True, layout="constrained")
    for ax, (method, plan) in zip(panels, plans.items(), strict=True):
        gigabytes = np.array([[plan.total(size, tile) / 1e9 for tile in tiles] for size in sizes])
        mesh = ax.pcolormesh(tiles, sizes, gigabytes, norm="log", cmap="cividis_r", vmin=4, vmax=1000, shading="nearest")
        crossed = [gpu for gpu in gpus_gb if gigabytes.min() < gpu < gigabytes.max()]
        if crossed:
            lines = ax.contour(tiles, sizes, gigabytes, levels=crossed, colors="#d00000", linewidths=1.5)
            ax.clabel(lines, fmt=lambda level: f"{level:.0f} GB", fontsize=8)
        ax.set(title=method, xlabel="image tiles", yscale="log")
        ax.set_yticks(2 ** np.arange(int(np.log2(most_examples)) + 1), 2 ** np.arange(int(np.log2(most_examples)) + 1))
        ax.minorticks_off()
    panels[0].set_ylabel("batch size")
    figure.colorbar(mesh, ax=panels, label="GB at the peak of a step")
    return figure
