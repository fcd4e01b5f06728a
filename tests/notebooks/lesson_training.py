"""Lesson 04's own cells, from the first up to its training, in a process that can be killed.

``python -m tests.notebooks.lesson_training``; settings come as JSON in ``$PARAMETERS``. What only looks at the
model is left out.
"""

import json
import os

import nbformat

from helpers.paths import NOTEBOOKS

ONLY_LOOKING = ("measure_old_skills(model", "plots.show(", "show_label_mask(", "generate_answers(model", "report(")


def main() -> None:
    cells = [c for c in nbformat.read(NOTEBOOKS / "04_sft_chartqa.ipynb", as_version=4).cells if c.cell_type == "code"]
    names: dict = {"__name__": "__main__"}
    for cell in cells:
        if "trainer.train(" not in cell.source and any(word in cell.source for word in ONLY_LOOKING):
            if "load_model(" in cell.source:  # the base model is loaded where it is first asked
                exec("processor = load_processor(MODEL)\nmodel = load_model(MODEL, precision, QUANTIZATION, device)", names)
            continue
        source = cell.source
        if "trainer.train(" in source:  # the two prints after it need what was left out
            source = source.partition("samples_per_second =")[0]
        exec(compile(source, "lesson 04", "exec"), names)
        if "parameters" in cell.metadata.get("tags", ()):
            names.update(json.loads(os.environ["PARAMETERS"]))
        if "trainer.train(" in cell.source:
            return


if __name__ == "__main__":
    main()
