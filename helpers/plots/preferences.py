"""Drawing what preference training does: to the pairs it is trained on, and to the answers."""

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np

from helpers.plots.figure import AFTER, BEFORE


def plot_preference_curves(log: list[dict]):
    """Reward accuracy, reward margin, and both answers' log-probabilities over the steps of a DPO trainer's ``log_history``."""
    rows = [row for row in log if "rewards/margins" in row]
    steps = [row["step"] for row in rows]
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4))
    for ax, key in ((axes[0], "rewards/accuracies"), (axes[1], "rewards/margins")):
        ax.plot(steps, [row[key] for row in rows], color=AFTER, marker=".")
    axes[0].set(xlabel="step", title="reward accuracy")
    axes[1].set(xlabel="step", title="reward margin")
    axes[0].set_ylim(0, 1.05)
    axes[0].axhline(0.5, color="#555555", linestyle=":")
    for key, label, colour, mark in (("logps/chosen", "chosen", AFTER, "s"), ("logps/rejected", "rejected", BEFORE, ".")):
        axes[2].plot(steps, [row[key] for row in rows], color=colour, marker=mark, label=label)
    axes[2].set(xlabel="step", title="log-probability of the answer")
    axes[2].legend()
    for ax in axes:
        ax.grid(alpha=0.3)
    figure.tight_layout()
    return figure


def preference_curves_in_words(log: list[dict]) -> str:
    """What the curves of :func:`plot_preference_curves` come to, for their text alternative: means over their last quarter,
    since a step sees few pairs; and where the log-probabilities begin and end.
    """
    rows = [row for row in log if "rewards/margins" in row]
    last = rows[-max(1, len(rows) // 4) :]
    accuracy, margin = (np.mean([row[key] for row in last]) for key in ("rewards/accuracies", "rewards/margins"))
    chosen, rejected = (f"{rows[0][key]:.1f} to {rows[-1][key]:.1f}" for key in ("logps/chosen", "logps/rejected"))
    return (
        f"Over the last quarter reward accuracy is {accuracy:.2f}, the margin {margin:.2f}; "
        f"log-probability of the chosen answers {chosen}, of the rejected ones {rejected}."
    )


def plot_kinds(before: list[str], after: list[str]):
    """How many answers are of each kind, before and after."""
    counts = Counter(before), Counter(after)
    kinds = sorted(set(before) | set(after), key=lambda kind: counts[1][kind])
    figure, ax = plt.subplots(figsize=(7.5, 0.6 * len(kinds) + 1.2))
    for count, offset, label, style in (
        (counts[1], 0.2, "after", {"color": AFTER}),
        (counts[0], -0.2, "before", {"color": BEFORE, "hatch": "//"}),
    ):
        ax.barh([at + offset for at in range(len(kinds))], [count[kind] for kind in kinds], 0.38, label=label, **style)
    ax.set_yticks(range(len(kinds)), kinds)
    ax.set(xlabel=f"answers, of {len(after)}")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    ax.grid(axis="x", alpha=0.3)
    return figure
