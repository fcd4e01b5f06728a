"""Drawing a service: where its answers part from the model's, and what several requests at a time come to."""

import matplotlib.pyplot as plt
import numpy as np

from helpers.plots.figure import AFTER, BEFORE


def plot_differences(equal: dict[str, float], accuracy: dict[str, float], trained: float):
    """For each way to ask: the share of answers equal to the notebook's, and the accuracy; all from 0 to 1.

    ``trained``: the accuracy in the notebook, drawn as a line.
    """
    names = list(equal)
    places = np.arange(len(names))
    figure, ax = plt.subplots(figsize=(7.5, 0.5 * len(names) + 1.4))
    ax.barh(places - 0.2, list(equal.values()), 0.38, color=AFTER, label="answers equal to the notebook's")
    ax.barh(places + 0.2, list(accuracy.values()), 0.38, color=BEFORE, hatch="//", label="relaxed accuracy")
    ax.axvline(trained, color="#555555", linestyle=":", label="relaxed accuracy in the notebook")
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.02), xlabel="share of the questions")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.5 / len(names) - 0.08), ncols=3, fontsize=8)
    ax.grid(axis="x", alpha=0.3)
    return figure


def plot_requests(seconds: dict[int, list[float]], total: dict[int, float]):
    """How long each request takes, and how many are answered in a second, by how many are under way at once.

    ``seconds``: of each request; ``total``: of all of them together. Both by the number at once.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    numbers = list(seconds)
    left.boxplot(list(seconds.values()), tick_labels=numbers, showfliers=False, medianprops={"color": AFTER, "linewidth": 2})
    left.set(xlabel="requests at once", ylabel="seconds a request", ylim=(0, None))
    rates = [len(seconds[number]) / total[number] for number in numbers]
    right.plot(range(len(numbers)), rates, color=AFTER, marker="s")
    right.set_xticks(range(len(numbers)), numbers)
    right.set(xlabel="requests at once", ylabel="answers a second", ylim=(0, 1.15 * max(rates)))
    for ax in (left, right):
        ax.grid(alpha=0.3)
    figure.tight_layout()
    return figure
