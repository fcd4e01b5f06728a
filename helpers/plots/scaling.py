"""Drawing whether several runs of one training are the same training, and how long it waits for its data."""

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from helpers.plots.figure import AFTER, BEFORE

# Okabe and Ito's colours; marks differ in shape and shrink, so that points on top of each other all show.
_STYLES = [("black", "o", 11), (BEFORE, "s", 8), (AFTER, "D", 5), ("#D55E00", "x", 4)]


def plot_same_losses(curves: dict[str, dict[int, float]]):
    """Losses by step of several runs (at most four), and below how far each is from the first of them.

    ``curves``: loss by step for each run's name.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.5, 5), sharex=True, height_ratios=(3, 2))
    reference = next(iter(curves.values()))
    for (name, losses), (color, mark, size) in zip(curves.items(), _STYLES, strict=False):
        style = {"color": color, "marker": mark, "markersize": size, "linewidth": 1, "fillstyle": "none"}
        above.plot(list(losses), list(losses.values()), label=name, **style)
        if losses is not reference:
            below.plot(list(losses), [abs(loss - reference[step]) for step, loss in losses.items()], **style)
    above.set(ylabel="training loss")
    above.legend(fontsize=9)
    below.set(xlabel="step", ylabel="difference\nfrom the first")
    below.set_yscale("symlog", linthresh=1e-8)  # an exact zero stays on the page
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for ax in (above, below):
        ax.grid(alpha=0.3)
    figure.tight_layout()
    return figure


def plot_waiting(shares: dict[int, float]):
    """The share of a training's time spent waiting for data, 0..1, by the number of processes that load it."""
    figure, ax = plt.subplots(figsize=(6, 3.5))
    ax.plot(list(shares), list(shares.values()), color=AFTER, marker="o")
    for count, share in shares.items():
        ax.annotate(f"{share:.0%}", (count, share), xytext=(6, 6), textcoords="offset points")
    ax.set(xlabel="processes that load data", ylabel="share of waiting", ylim=(0, 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.margins(x=0.12)
    ax.grid(alpha=0.3)
    figure.tight_layout()
    return figure
