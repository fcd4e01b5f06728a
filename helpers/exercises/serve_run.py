"""Make the run of lesson 09's diagnosis anew: a service that was started with the base model in place of the merged one.

``python -m helpers.exercises.serve_run``. Needs the extra ``serving``, and lesson 04's run.
"""

import tempfile
from pathlib import Path

from helpers.course import made_by
from helpers.data import load_chartqa
from helpers.evaluation import Served, free_port, generate_answers, relaxed_accuracy, start_server
from helpers.exercises.make_runs import write
from helpers.models import SHORT_ANSWER, load_model, load_processor
from helpers.paths import EMBEDDED_MODEL

QUESTIONS = 48


def turnstone() -> None:
    rows = load_chartqa("embedded", "test", QUESTIONS)
    labels = [row["label"] for row in rows.select_columns("label")]
    merged = str(made_by("04_sft_chartqa", "merged", "tiny"))
    tuned, base = (
        generate_answers(load_model(name), load_processor("embedded"), rows) for name in (merged, str(EMBEDDED_MODEL))
    )
    words = ["transformers", "serve", EMBEDDED_MODEL.name, "--host", "127.0.0.1", "--port", str(free_port())]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--device", "cpu", "--dtype", "float32"]
        with start_server([*words, *options], Path(folder) / "log.txt", folder=EMBEDDED_MODEL.parent) as server:
            served = generate_answers(Served(server.url), None, rows)
    table = [
        {"question": row["query"], "label": label[0], "service": one, "notebook": two, "base": three}
        for row, label, one, two, three in zip(rows.select_columns("query"), labels, served, tuned, base, strict=True)
    ]
    request = [
        f"system: {SHORT_ANSWER}",
        "user: picture (image/png, base64), then the question",
        "temperature 0, max_tokens 16",
    ]
    write(
        "turnstone", table, requests=QUESTIONS, status_codes=[200], request=request,
        accuracy_notebook=round(relaxed_accuracy(tuned, labels), 3), accuracy_base=round(relaxed_accuracy(base, labels), 3),
        accuracy_service=round(relaxed_accuracy(served, labels), 3),
    )  # fmt: skip


if __name__ == "__main__":
    turnstone()
