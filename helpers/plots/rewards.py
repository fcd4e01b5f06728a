"""Drawing a training by reward: what it was paid, how many groups taught nothing, how long the answers are, how far it went."""

import matplotlib.pyplot as plt
import numpy as np

from helpers.plots.figure import AFTER, BEFORE

_LENGTH, _CUT, _SAME = "completions/mean_length", "completions/clipped_ratio", "frac_reward_zero_std"


def plot_reward_curves(log: list[dict]):
    """Reward, share of groups without a difference, length of the answers and KL over the steps of a GRPO trainer's log.

    ``log``: the rows of ``log_history`` that have a ``reward``, one for each step. The lines are means over a tenth of them;
    the dots are single steps. KL is missing where beta is 0.
    """
    steps = [row["step"] for row in log]
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.4))
    for ax, key, title in (
        (axes[0], "reward", "reward"),
        (axes[1], _SAME, "groups without a difference"),
        (axes[2], _LENGTH, ""),
    ):
        _draw(ax, steps, [row[key] for row in log], AFTER, ".", title)
    axes[1].set_ylim(-0.05, 1.05)
    axes[2].set_title("tokens of an answer")
    cut = axes[2].twinx()
    _draw(cut, steps, [row[_CUT] for row in log], BEFORE, "x", "")
    cut.set_ylim(-0.05, 1.05)
    cut.set_ylabel("share cut off (x)")
    if "kl" in log[0]:
        _draw(axes[3], steps, [row["kl"] for row in log], AFTER, ".", "KL to the start")
    else:
        axes[3].set_title("KL to the start")
        axes[3].text(0.5, 0.5, "beta is 0: not computed", ha="center", transform=axes[3].transAxes)
    for ax in axes:
        ax.set_xlabel("step")
        ax.grid(alpha=0.3)
    figure.tight_layout()
    return figure


def _draw(ax, steps: list[int], values: list[float], colour: str, mark: str, title: str) -> None:
    ax.plot(steps, values, color=colour, marker=mark, linestyle="", alpha=0.35)
    width = max(1, len(values) // 10)
    smooth = np.convolve(values, np.ones(width) / width, mode="valid")
    ax.plot(steps[width - 1 :], smooth, color=colour)
    ax.set_title(title)


def reward_curves_in_words(log: list[dict]) -> str:
    """Where the curves of :func:`plot_reward_curves` begin and end, as means over a fifth, for their text alternative."""
    part = max(1, len(log) // 5)

    def ends(key: str) -> str:
        return " to ".join(f"{np.mean([row[key] for row in rows]):.2f}" for rows in (log[:part], log[-part:]))

    kl = f"; KL ends at {log[-1]['kl']:.3f}" if "kl" in log[-1] else ""
    return (
        f"Reward {ends('reward')}, groups without a difference {ends(_SAME)}, tokens of an answer {ends(_LENGTH)}, "
        f"share cut off {ends(_CUT)}{kl}."
    )
