"""The benchmark commands use options that the released package has, and hand over what its class takes.

Read from lmms-eval 0.7.3: ``parse_eval_args`` in ``lmms_eval/__main__.py``, the signature of ``Huggingface`` in
``lmms_eval/models/chat/huggingface.py`` and the tasks in ``lmms_eval/tasks/chartqa``.
"""

import shlex

import pytest
from transformers import ProcessorMixin

from helpers.data import load_chartqa
from helpers.evaluation import leave_out_empty_audios, lmms_eval_command
from helpers.models import SHORT_ANSWER, chat

OPTIONS = {"--model", "--model_args", "--tasks", "--batch_size", "--log_samples", "--output_path", "--limit", "--device"}
MODEL_ARGUMENTS = {
    "pretrained", "device", "device_map", "batch_size", "use_cache", "attn_implementation", "max_num_frames",
    "use_custom_video_loader", "fps", "max_image_size", "system_prompt", "interleave_visuals", "reasoning_prompt",
    "trust_remote_code",
}  # fmt: skip
TASKS = {"chartqa", "chartqa_lite"}


def words(*arguments, **settings) -> dict[str, str]:
    python, module, name, *rest = shlex.split(lmms_eval_command(*arguments, **settings))
    assert (python, module, name) == ("python", "-m", "helpers.evaluation.benchmarks")
    starts = [at for at, word in enumerate(rest) if word.startswith("--")]
    return {rest[at]: " ".join(rest[at + 1 : end]) for at, end in zip(starts, [*starts[1:], len(rest)], strict=True)}


def test_the_commands_use_options_of_the_release():
    found = words("runs/gpu/04_sft_chartqa/merged", "runs/gpu/06_evaluation/lmms_eval", limit=200)
    assert set(found) <= OPTIONS
    assert found["--tasks"] in TASKS
    assert found["--limit"] == "200"
    assert "--limit" not in words("owner/name", "out")
    settings = dict(pair.split("=", 1) for pair in found["--model_args"].split(","))  # as the package splits them
    assert settings == {"pretrained": "runs/gpu/04_sft_chartqa/merged", "system_prompt": SHORT_ANSWER}
    assert set(settings) <= MODEL_ARGUMENTS


def test_folders_with_blanks_stay_one_word():
    assert words("my runs/merged", "my runs/out")["--output_path"] == "my runs/out"


def test_the_processor_takes_what_lmms_eval_hands_over(processor, monkeypatch):
    """Its class passes one flat list of pictures and empty lists of videos and audios: right for one question at a time."""
    row = load_chartqa("embedded", "test", 1)[0]
    text = processor.apply_chat_template(chat(row["query"], SHORT_ANSWER), tokenize=False, add_generation_prompt=True)
    ours = processor(text=[text], padding=True, return_tensors="pt", images=[[row["image"]]])
    handed = {"padding": True, "return_tensors": "pt", "videos": [], "audios": []}
    with pytest.raises(ValueError, match="audios"):  # when this no longer fails, the launcher has nothing left to do
        processor(text=[text], images=[row["image"]], **handed)
    monkeypatch.setattr(ProcessorMixin, "__call__", ProcessorMixin.__call__)  # put back after the test
    leave_out_empty_audios()
    found = processor(text=[text], images=[row["image"]], **handed)
    assert found["input_ids"].tolist() == ours["input_ids"].tolist()
    assert found["pixel_values"].equal(ours["pixel_values"])
    with pytest.raises(ValueError, match="image"):
        processor(text=[text] * 2, images=[row["image"]] * 2, **handed)
