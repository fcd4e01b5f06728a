"""A run's folder as the runner leaves it, made in a second: the real lessons with outputs of every kind, none executed."""

import base64
import io
import json
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
from nbformat.v4 import new_output

from helpers.course import find_lessons, read_measured, tidy

ALT = "A line that rises: [made up] for this test"


def outputs() -> list[list]:
    """Outputs as lessons have them before they are tidied, one list a cell."""
    table = pd.DataFrame({"what": ["weights", "a long name that goes on and on"] * 20, "bytes": [1_638_400, 4] * 20})
    bar = "answering:  50%|█████     | 2/4 [00:03<00:03,  1.50s/question]"
    done = "\ranswering: 100%|██████████| 4/4 [00:06<00:00,  1.50s/question]\n"
    weights = "\rLoading weights: 100%|██████████| 108/108 [00:09<00:00, 24610.72it/s]\n"
    trainer = (
        "<div><progress value='32' max='32' style='width:300px'></progress> [32/32 00:07, Epoch 1/1]</div>"
        '<table border="1" class="dataframe"><thead><tr><th>Step</th></tr></thead><tbody><tr><td>6</td></tr></tbody></table><p>'
    )
    return [
        [new_output("stream", name="stderr", text=weights + bar), new_output("stream", name="stderr", text=done)],
        [new_output("stream", name="stdout", text="\n".join(f"step {n}: " + "loss 0.123 " * 40 for n in range(200)))],
        [new_output("stream", name="stderr", text="x.py:3: FutureWarning: old\nWARNING: older\n"), _page(table.to_html())],
        [_page(trainer)],
        [_page(table.style.set_table_attributes("").to_html())],
        [picture(), picture()],
    ]


def picture():
    """A small plot with its alt text."""
    figure, ax = plt.subplots(figsize=(6, 2))
    ax.plot([0, 1], [0, 1])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    plt.close(figure)
    shown = base64.b64encode(buffer.getvalue()).decode()
    return new_output("display_data", {"image/png": shown, "text/plain": "<Figure>"}, metadata={"image/png": {"alt": ALT}})


def write_run(folder: Path) -> None:
    """Executed lessons, tidied, and results.json with the figures that the README's run recorded."""
    for lesson in find_lessons():
        if lesson.name.startswith("bonus_"):
            continue
        notebook, kinds = nbformat.read(lesson.path, as_version=4), cycle(outputs())
        for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
            cell.execution_count = count
            cell.outputs = [picture()] if "key-plot" in cell.metadata.get("tags", ()) else next(kinds) if count % 3 == 0 else []
        notebook.metadata["papermill"] = {"duration": 61.2, "exception": None}
        tidy(notebook)
        nbformat.write(notebook, folder / f"{lesson.name}.ipynb")
    measured = read_measured()
    kept = {"lessons": measured["lessons"], "environment": measured["environment"]}
    (folder / "results.json").write_text(json.dumps(kept), encoding="utf-8")


def _page(text: str):
    return new_output("display_data", {"text/html": text, "text/plain": "html"})
