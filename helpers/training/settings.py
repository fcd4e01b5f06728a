"""A lesson's training as a TRL command: its settings and its data written to files, made from the lesson's own objects.

``trl sft`` and ``trl dpo`` format no data and know no ChartQA: they want TRL's columns, and every setting in a YAML file.
"""

import tempfile
from pathlib import Path

import yaml
from datasets import Dataset, Features, Image, List, Value
from peft import LoraConfig
from trl import ModelConfig, get_peft_config
from trl.trainer.base_config import _BaseConfig

from helpers.data import open_picture
from helpers.models import SHORT_ANSWER, locate

_TURNS = List({"role": Value("string"), "content": Value("string")})
CONVERSATIONS = Features(images=List(Image()), prompt=_TURNS, completion=_TURNS)
# Whatever the defaults are on the machine that reads the file, these are said: each of them is a trap.
_ALWAYS = ("output_dir", "max_length", "activation_checkpointing", "bf16", "fp16", "use_cpu", "seed", "data_seed")

_FILLED_BY_PEFT = ("base_model_name_or_path", "inference_mode")  # in a config that a trainer has used


def as_conversations(rows: dict) -> dict:
    """A batch of ChartQA rows in TRL's prompt and completion layout, each picture in a list as the command line wants it."""
    return {
        "images": [[open_picture(image)] for image in rows["image"]],
        "prompt": [[{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": q}] for q in rows["query"]],
        "completion": [[{"role": "assistant", "content": label[0]}] for label in rows["label"]],
    }


def save_conversations(rows: Dataset, path: Path) -> Path:
    """Rows of ``load_chartqa`` as one parquet file of :data:`CONVERSATIONS`; pictures pass through memory one at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    formatted = rows.with_transform(as_conversations)
    with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as cache:
        made = Dataset.from_generator(lambda: iter(formatted), features=CONVERSATIONS, cache_dir=cache)
        made.to_parquet(path)
    return path


def command_settings(config: _BaseConfig, lora: LoraConfig, model: str, data: Path, quantization: str = "none") -> dict:
    """What stands in the YAML file of ``trl sft`` (for an ``SFTConfig``) or ``trl dpo`` (for a ``DPOConfig``).

    Only what differs from TRL's defaults, and the traps. ``model``: a name as ``load_model`` takes it; ``data``: a folder
    with ``train.parquet`` and, if the config evaluates, ``test.parquet``. ValueError names the settings of ``lora`` that
    the command line has no words for.
    """
    plain = {"use_cpu": config.use_cpu, "bf16": False, "activation_checkpointing": True}  # a config without these complains
    defaults = type(config)(output_dir=config.output_dir, **plain).to_dict()
    chosen = {
        name: value
        for name, value in config.to_dict().items()
        if name in _ALWAYS or (value != defaults[name] and not name.startswith("gradient_checkpointing"))
    }
    chosen["report_to"] = config.report_to or "none"
    name, revision = locate(model)
    dtype = "bfloat16" if config.bf16 else "float16" if config.fp16 else "float32"
    settings = {"model_name_or_path": name, "dtype": dtype, "dataset_name": str(data)} | chosen
    if revision:
        settings["model_revision"] = revision
    if quantization != "none":
        settings[f"load_in_{quantization}"] = True
    if quantization == "4bit":
        settings["use_bnb_nested_quant"] = True  # double quantization: TRL leaves it off
    return settings | _lora_settings(lora)


def _lora_settings(lora: LoraConfig) -> dict:
    targets = lora.target_modules
    settings = {
        "use_peft": True,
        "lora_r": lora.r,
        "lora_alpha": lora.lora_alpha,
        "lora_dropout": lora.lora_dropout,
        "lora_target_modules": [targets] if isinstance(targets, str) else sorted(targets or ()),
        "lora_task_type": lora.task_type,
        "use_rslora": lora.use_rslora,
        "use_dora": lora.use_dora,
    }
    read_back, wanted = get_peft_config(ModelConfig(**settings)).to_dict(), lora.to_dict()
    lost = [name for name in wanted if wanted[name] != read_back[name] and name not in _FILLED_BY_PEFT]
    if lost:
        raise ValueError(f"the TRL command line can't say {', '.join(lost)} of this LoraConfig: train it from a notebook")
    return settings


def write_settings(path: Path, settings: dict) -> Path:
    """The YAML file for ``--config``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path
