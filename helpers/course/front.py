"""The book's front page: what the course is, what this run measured, and a plot from each of its lessons."""

import base64
import html
from dataclasses import dataclass
from pathlib import Path

import nbformat

from helpers.course.outputs import spell
from helpers.course.times import lesson_seconds

# What a lesson's run showed, in one sentence, from the figures that it recorded.
_SHOWED = {
    "00_meet_the_model": (
        "{tiles_850x600} tiles and {image_tokens_850x600:,} image tokens stand for one chart of 850 x 600 pixels: more "
        "than the {default_max_length:,} tokens at which TRL cuts by default."
    ),
    "01_quantization_memory": (
        "The weights shrink from {weight_bytes_float32:,} bytes to {weight_bytes_nf4:,} in NF4. Of drawn charts' marks, "
        "{stated_float32:.2f} are stated with their value before, {stated_nf4:.2f} after."
    ),
    "02_lora_parameters": (
        "{percent_trainable:.1f} % of the parameters are trained. A list of layer names also hits "
        "{vision_lora_modules_naive} layers of the vision tower; a pattern hits {vision_lora_modules_scoped}."
    ),
    "03_batch_size_memory": (
        "Checkpointing takes {checkpointing_memory_ratio:.2f} times the memory and {checkpointing_time_ratio:.1f} times "
        "the time. The dry run's worst error is {dry_run_worst_error:.1%}."
    ),
    "04_sft_chartqa": (
        "Relaxed accuracy on {test_questions} questions about charts never seen goes from {base_relaxed_accuracy:.2f} to "
        "{sft_relaxed_accuracy:.2f} in {train_seconds:.0f} s of training; with another question's chart it is "
        "{blind_relaxed_accuracy:.2f}."
    ),
    "05_dpo_preferences": (
        "A judge that knows the truth prefers {sft_win_rate:.0%} of the answers before preference training and "
        "{dpo_win_rate:.0%} after; accuracy goes from {sft_relaxed_accuracy:.2f} to {dpo_relaxed_accuracy:.2f}."
    ),
    "06_evaluation": (
        "{leaked_charts} of the test charts are also in the training set; all models' scores come with 95 % intervals and "
        "a paired test."
    ),
    "07_scaling_out": (
        "The TRL command, {world_size} processes and a killed and resumed training give the notebook's losses, within "
        "{cli_worst_loss_difference:.1e}, {ddp_worst_loss_difference:.1e} and {resume_worst_loss_difference:.1e}."
    ),
    "08_grpo_rewards": (
        "A reward that only checks answers raises accuracy from {start_relaxed_accuracy:.2f} to "
        "{grpo_relaxed_accuracy:.2f}. A careless one is hacked: reward {hacked_reward:.2f}, accuracy "
        "{hacked_relaxed_accuracy:.3f}."
    ),
    "09_serving": (
        "Over HTTP, {served_equal_share:.0%} of the answers are the notebook's, to the letter; with the adapter "
        "forgotten, {base_equal_share:.0%}."
    ),
}

_FRONT = """\
# Fine-tuning vision language models, hands on

Ten notebooks that fine-tune a vision language model on questions about charts, on a laptop with two cores and no GPU, offline,
in minutes; with one parameter changed, the same notebook trains a real model on a real GPU. What a lesson says of a model, it
measures, and you reproduce it. This book is one run of the course: {facts}

{picture}

```bash
make course   # run it yourself; this book again, from your own figures
make test     # the tests
```

{address}

## The lessons, as they ran here

| lesson | time | what it showed in this run |
|---|---|---|
{rows}

::::{{container}} plots
{cards}
::::

## What you will hardly find in another course

- **The same notebook, small and large.** Not a toy beside the real thing: a real SmolVLM in miniature, with its processor, chat
  template and trainer. What works here works there, with another profile.
- **Charts that are swapped.** Every trained model is also asked with the wrong chart. What is still right was not read.
- **A dry run of the real models.** The memory of a training step of a 2-billion-parameter model, without its weights and
  without a GPU, and how far it is from what was measured.
- **Trainings that fail, on purpose.** Curves that look fine over a model that is broken, a reward that is hacked, a label mask
  that trains nothing: you see each happen, and what gives it away.
- **A judge that knows the truth**, so that a win rate is a measurement and not one model's opinion of another.
- **`kill -9`**, and a training that goes on as if nothing had been.
- **Exercises that answer.** A check names the mistake that is most likely behind a wrong answer.
"""


@dataclass(frozen=True)
class Plot:
    """A picture that a lesson's run shows, with the text that stands for it."""

    png: bytes
    alt: str


def plots_of(notebook: nbformat.NotebookNode, only_key: bool = False) -> list[Plot]:
    """All pictures that an executed notebook shows, in order; ``only_key``: those of cells tagged ``key-plot``."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or (only_key and "key-plot" not in cell.metadata.get("tags", ())):
            continue
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                found.append(Plot(base64.b64decode(output.data["image/png"]), alt))
    return found


def front_page(folder: Path, source: Path, lessons: dict[str, nbformat.NotebookNode], results: dict, address: str) -> str:
    """The text of the front page; its pictures are written below ``source``.

    ``folder``: the run's. ``lessons``: the executed notebooks, by name, in order.
    """
    times = lesson_seconds(folder)
    (source / "plots").mkdir()
    rows, cards, picture = [], [], ""
    for name, notebook in lessons.items():
        title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
        link = f"[{title}](notebooks/{name}.ipynb)"
        took = spell(times[name]) if name in times else ""
        rows.append(f"| {link} | {took} | {showed(name, results['lessons'].get(name, {}))} |")
        plots = plots_of(notebook, only_key=True)
        if not plots:
            continue
        shown = plots[0]
        if name == "04_sft_chartqa":  # its last plot is the eight charts, before and after
            picture = _picture(source, f"{name}_charts", plots[-1])
            shown = plots[-2] if len(plots) > 1 else shown
        short = f"[{title.split(':')[0]}](notebooks/{name}.ipynb)"
        cards.append(f":::{{container}} plot\n**{short}**\n\n{_picture(source, name, shown)}\n:::")
    return _FRONT.format(
        facts=run_facts(results["environment"], sum(times.values())), picture=picture, rows="\n".join(rows),
        cards="\n".join(cards), address=address,
    )  # fmt: skip


def showed(lesson: str, figures: dict) -> str:
    """One sentence on what the lesson's run showed; empty if it did not record what the sentence needs."""
    try:
        return _SHOWED[lesson].format_map(figures)
    except (KeyError, ValueError):  # not recorded, or text in place of a number ("no memory cap on this system")
        return ""


def run_facts(environment: dict, seconds: float) -> str:
    """A line on a run: profile, machine, versions, day and time."""
    if not environment:
        return "nothing was recorded yet."
    where = environment["device_name"] if environment["device"] != "cpu" else f"{environment['device_name']} (no GPU)"
    return (
        f"profile `{environment['profile']}` on {where}, {environment['precision_tested']}, torch {environment['torch']}, "
        f"transformers {environment['transformers']}, TRL {environment['trl']}; {spell(seconds)} for all lessons together, "
        f"ended {environment['time'][:10]}."
    )


def _picture(source: Path, name: str, plot: Plot) -> str:
    (source / "plots" / f"{name}.png").write_bytes(plot.png)
    alt = html.escape(" ".join(plot.alt.split())).replace("[", "(").replace("]", ")")
    return f"![{alt}](plots/{name}.png)"
