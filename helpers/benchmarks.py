"""The commands that score a model on public benchmarks with lmms-eval, so that others can compare theirs."""

import shlex
from pathlib import Path

from helpers.prompts import SHORT_ANSWER

LMMS_EVAL = "lmms-eval==0.7.3"  # the release whose options and task these commands were checked against


def lmms_eval_command(model: str | Path, output: str | Path, limit: int | None = None, task: str = "chartqa") -> str:
    """Score the model of a folder, or of a hub name, on ``task``; ``limit``: only its first so many questions.

    The model must be whole: lmms-eval's class for any transformers model, ``huggingface``, loads no adapter, so give it
    the merged one. That class hands the pictures of a batch over as one list, which SmolVLM's processor takes for those of
    the first question: the batch size is 1.
    """
    settings = f"pretrained={model},system_prompt={SHORT_ANSWER}"
    words = ["python", "-m", "lmms_eval", "--model", "huggingface", "--model_args", settings, "--tasks", task]
    words += ["--batch_size", "1", "--log_samples", "--output_path", str(output)]
    words += ["--limit", str(limit)] if limit else []
    return shlex.join(words)
