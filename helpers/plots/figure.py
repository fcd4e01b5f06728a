"""Drawing for the lessons. Every function takes plain values and returns a matplotlib figure; ``show`` displays it."""

import html
import io
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, Image, display

from helpers.evaluation import bootstrap_interval

# Okabe and Ito's colours, told apart by colour-blind readers; marks differ in shape too.
BEFORE, AFTER = "#E69F00", "#0072B2"
_KINDS = {  # label mask: background, border, and the word that says it without colour
    "trained": ("#9bd3f5", "2px solid #0072B2"),
    "masked": ("#f2f2f2", "1px solid #bbbbbb"),
    "image": ("#fbe3b5", "1px dashed #E69F00"),
}


def show(figure, alt: str) -> None:
    """Display ``figure`` once, with ``alt`` as the text that a screen reader says and the report captions."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    display(Image(buffer.getvalue()), metadata={"image/png": {"alt": alt}})


def show_label_mask(tokens: list[str], kinds: list[str], title: str) -> None:
    """Tokens of one example as coloured boxes; ``kinds``: "trained", "masked" or "image" for each.

    Runs of the same token, as a picture's are, are folded into one box.
    """
    pieces, at = [], 0
    while at < len(tokens):
        run = 1
        while at + run < len(tokens) and (tokens[at + run], kinds[at + run]) == (tokens[at], kinds[at]):
            run += 1
        text = f"{tokens[at]} × {run}" if run > 1 else tokens[at]
        background, border = _KINDS[kinds[at]]
        weight = "bold" if kinds[at] == "trained" else "normal"
        pieces.append(
            f'<span title="{kinds[at]}" style="background:{background};border:{border};color:#111;font-weight:{weight};'
            f'padding:0 3px;margin:1px;display:inline-block;white-space:pre">{html.escape(text)}</span>'
        )
        at += run
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in _KINDS)
    heading = f"<p><b>{html.escape(title)}</b>: {counts} of {len(tokens)} tokens (bold: trained)</p>"
    display(HTML(f'{heading}<p style="line-height:2">{"".join(pieces)}</p>'))


def plot_charts(rows, columns: int = 4):
    """A grid of charts; ``rows`` have ``image`` and ``text``, the lines written underneath."""
    texts = ["\n".join(textwrap.fill(line, 35) for line in row["text"].splitlines()) for row in rows]
    height = -(-len(rows) // columns)
    chart, text_height = 2.5, 0.35 + 0.17 * max(text.count("\n") + 1 for text in texts)  # inches
    tall = height * (chart + text_height)
    figure, axes = plt.subplots(height, columns, figsize=(3.1 * columns, tall), squeeze=False)
    figure.subplots_adjust(0, text_height / tall, 1, 1, wspace=0.05, hspace=text_height / chart)
    for ax in axes.flat:
        ax.axis("off")
    for ax, row, text in zip(axes.flat, rows, texts, strict=False):
        ax.imshow(row["image"])
        ax.set_anchor("S")
        write_below(ax, text)
    return figure


def write_below(ax, text: str) -> None:
    """``text`` under a picture, far enough away not to be taken for one of its labels."""
    ax.annotate(
        text, (0, 0), (0, -9), xycoords="axes fraction", textcoords="offset points", va="top", fontsize=9, family="monospace"
    )


def in_words(rows: list[dict]) -> str:
    """What :func:`plot_charts` writes under its charts, for their text alternative."""
    return "; ".join(", ".join(row["text"].splitlines()) for row in rows)


def plot_losses(log: list[dict], best_step: int | None = None):
    """Training and validation loss over the steps of a trainer's ``log_history``, on one logarithmic axis."""
    figure, ax = plt.subplots(figsize=(7.5, 3.6))
    for key, label, colour, mark in (("loss", "training", BEFORE, "."), ("eval_loss", "validation", AFTER, "s")):
        points = [(row["step"], row[key]) for row in log if key in row]
        if points:
            ax.plot(*zip(*points, strict=True), color=colour, marker=mark, label=f"{label} loss")
    if best_step is not None:
        ax.axvline(best_step, color="#555555", linestyle=":", label=f"kept: step {best_step}")
    ax.set(xlabel="step", ylabel="loss per answer token", yscale="log")
    ax.legend()
    ax.grid(alpha=0.3)
    return figure


def plot_by_kind(before: dict[str, list[bool]], after: dict[str, list[bool]]):
    """Accuracy by question kind, before and after, from the score of each question, with 95 % intervals."""
    kinds = sorted(after, key=lambda kind: np.mean(after[kind]))
    figure, ax = plt.subplots(figsize=(7.5, 0.55 * len(kinds) + 1.2))
    for scores, offset, style in ((after, 0.2, {"color": AFTER}), (before, -0.2, {"color": BEFORE, "hatch": "//"})):
        means = np.array([np.mean(scores[kind]) for kind in kinds])
        low, high = np.array([bootstrap_interval(scores[kind]) for kind in kinds]).T
        label = "after" if scores is after else "before"
        ax.barh(np.arange(len(kinds)) + offset, means, 0.38, xerr=(means - low, high - means), capsize=2, label=label, **style)
    ax.set_yticks(range(len(kinds)), [f"{kind} ({len(after[kind])})" for kind in kinds])
    ax.set(xlim=(0, 1.03), xlabel="relaxed accuracy")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)  # inside it would cover an interval
    ax.grid(axis="x", alpha=0.3)
    return figure
