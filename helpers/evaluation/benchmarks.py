"""Score a model on public benchmarks with lmms-eval, so that others can compare theirs: the command, and its launcher.

``python -m helpers.evaluation.benchmarks`` takes lmms-eval's own options and starts it with two things mended in its class
for any transformers model: it hands every processor an empty list of ``audios``, which transformers 5 refuses by name; and it
looks for the model's type where transformers keeps configurations, finds none, and loads a model that can't generate.
"""

import shlex
from pathlib import Path

from transformers import AutoModelForImageTextToText, ProcessorMixin

from helpers.models import SHORT_ANSWER

LMMS_EVAL = "lmms-eval==0.7.3"  # the release whose options, class and task were checked


def lmms_eval_command(model: str | Path, output: str | Path, limit: int | None = None, task: str = "chartqa") -> str:
    """Score the model of a folder, or of a hub name, on ``task``; ``limit``: only its first so many questions.

    The model must be whole: lmms-eval's class for any transformers model, ``huggingface``, loads no adapter, so give it
    the merged one. That class hands the pictures of a batch over as one list, which SmolVLM's processor takes for those of
    the first question: the batch size is 1.
    """
    settings = f"pretrained={model},system_prompt={SHORT_ANSWER}"
    words = ["python", "-m", "helpers.evaluation.benchmarks", "--model", "huggingface", "--model_args", settings]
    words += ["--tasks", task, "--batch_size", "1", "--log_samples", "--output_path", str(output)]
    words += ["--limit", str(limit)] if limit else []
    return shlex.join(words)


def leave_out_empty_audios() -> None:
    """From now on a processor's empty ``audios`` and ``videos`` are as if they were not given."""
    original = ProcessorMixin.__call__

    def call(self, *args, **kwargs):
        for name in ("audios", "videos"):
            if name in kwargs and not kwargs[name]:
                del kwargs[name]
        return original(self, *args, **kwargs)

    ProcessorMixin.__call__ = call


def main() -> None:
    from lmms_eval.cli.dispatch import main as lmms_eval
    from lmms_eval.models.chat import huggingface

    huggingface.AutoModel = AutoModelForImageTextToText  # what it falls back to for every model
    leave_out_empty_audios()
    lmms_eval()


if __name__ == "__main__":
    main()
