"""The settings file says exactly what the notebook's objects say, as TRL's own parser reads it back; so does the data."""

import json
import math

import pytest
import torch
import yaml
from datasets import load_dataset
from peft import LoraConfig
from trl import DPOConfig, DPOTrainer, SFTConfig, get_peft_config, get_quantization_config
from trl.scripts import dpo, sft

from helpers.course import NAMES, load_profile
from helpers.data import load_chartqa, load_preferences
from helpers.models import load_model, load_processor, quantization_config
from helpers.training import as_conversations, command_settings, run_command, save_conversations, write_settings

TARGETS = r".*text_model.*\.(q_proj|v_proj)"


def lora(**settings):
    return LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": TARGETS, "task_type": "CAUSAL_LM"} | settings)


def config(kind, folder, **settings):
    plain = {"output_dir": str(folder / "out"), "max_steps": 3, "use_cpu": True, "bf16": False, "max_length": None}
    return kind(**plain | {"activation_checkpointing": False, "report_to": "none"} | settings)


@pytest.mark.parametrize(("kind", "script"), [(SFTConfig, sft), (DPOConfig, dpo)])
@pytest.mark.parametrize("name", NAMES)
def test_trls_parser_reads_back_what_the_notebook_says(tmp_path, kind, script, name):
    profile = load_profile(name)
    said = config(
        kind, tmp_path, learning_rate=profile["LEARNING_RATE"], per_device_train_batch_size=profile["BATCH_SIZE"],
        gradient_accumulation_steps=profile["GRADIENT_ACCUMULATION"], warmup_steps=0.1, lr_scheduler_type="cosine",
        activation_checkpointing=profile["ACTIVATION_CHECKPOINTING"] is not False,  # a lesson has decided on auto by then
        eval_strategy="steps", eval_steps=2, save_steps=2,
        save_total_limit=2, load_best_model_at_end=True, metric_for_best_model="eval_loss", seed=3, data_seed=4,
        dataloader_num_workers=2, dataloader_persistent_workers=True, dataloader_prefetch_factor=4,
    )  # fmt: skip
    adapter = lora(r=profile["LORA_RANK"])
    settings = command_settings(said, adapter, profile["MODEL"], tmp_path / "data", profile["QUANTIZATION"])
    file = write_settings(tmp_path / "x.yaml", settings)
    arguments, read, model, _ = script.make_parser().parse_args_and_config(["--config", str(file)])
    assert read.to_dict() == said.to_dict()
    assert get_peft_config(model).to_dict() == adapter.to_dict()
    assert arguments.dataset_name == str(tmp_path / "data")
    assert model.dtype == "float32"
    wanted = quantization_config(profile["QUANTIZATION"], getattr(torch, model.dtype))
    found = get_quantization_config(model)
    assert (found.to_dict() if found else None) == (wanted.to_dict() if wanted else None)
    if "@" in profile["MODEL"]:
        assert (model.model_name_or_path, model.model_revision) == tuple(profile["MODEL"].split("@"))


def test_the_traps_are_written_even_where_they_are_defaults(tmp_path):
    plain = config(SFTConfig, tmp_path, activation_checkpointing=True, max_length=1024)
    settings = command_settings(plain, lora(), "embedded", tmp_path)
    assert (settings["max_length"], settings["activation_checkpointing"], settings["bf16"]) == (1024, True, False)
    assert (
        "max_length: null"
        in write_settings(
            tmp_path / "x.yaml", command_settings(config(SFTConfig, tmp_path), lora(), "embedded", tmp_path)
        ).read_text()
    )


@pytest.mark.parametrize("settings", [{"bias": "all"}, {"use_qalora": True}, {"rank_pattern": {"q_proj": 8}}])
def test_what_the_command_line_cannot_say_is_refused(tmp_path, settings):
    with pytest.raises(ValueError, match=f"can't say {next(iter(settings))}"):
        command_settings(config(SFTConfig, tmp_path), lora(**settings), "embedded", tmp_path)


def test_a_config_that_a_trainer_has_used_is_the_same_config(tmp_path):
    used = lora()
    used.base_model_name_or_path = "some/model"
    plain = config(SFTConfig, tmp_path)
    assert command_settings(plain, used, "embedded", tmp_path) == command_settings(plain, lora(), "embedded", tmp_path)


def test_several_target_modules_stay_several(tmp_path):
    settings = command_settings(config(SFTConfig, tmp_path), lora(target_modules=["v_proj", "q_proj"]), "embedded", tmp_path)
    assert settings["lora_target_modules"] == ["q_proj", "v_proj"]
    assert yaml.safe_load(yaml.safe_dump(settings)) == settings


def test_what_is_saved_is_what_the_notebook_trains_on(tmp_path):
    rows = load_chartqa("embedded", "train", 5)
    save_conversations(rows, tmp_path / "data" / "train.parquet")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["train.parquet"], "nothing else is left behind"
    read = load_dataset(str(tmp_path / "data"), split="train", cache_dir=str(tmp_path / "cache"))
    said = rows.with_transform(as_conversations)
    for saved, wanted in zip(read, said, strict=True):
        assert saved["prompt"] == wanted["prompt"]
        assert saved["completion"] == wanted["completion"]
        (one,), (other,) = saved["images"], wanted["images"]
        assert (one.mode, one.tobytes()) == (other.mode, other.tobytes())


def test_a_command_that_fails_says_how_it_ended():
    with pytest.raises(RuntimeError, match=r"ended with 3:\n.*why"):
        run_command("python", "-c", "import sys; print('why'); sys.exit(3)")
    assert run_command("python", "-c", "import os; print(os.environ['X'])", X="y").strip() == "y"


@pytest.mark.slow
def test_trl_dpo_on_saved_pairs_has_the_notebooks_losses(tmp_path):
    pairs = load_preferences("embedded", "train", 8)
    (tmp_path / "pairs").mkdir()
    pairs.with_format(None).select_columns(["images", "prompt", "chosen", "rejected"]).to_parquet(
        tmp_path / "pairs" / "train.parquet"
    )
    chosen = {"per_device_train_batch_size": 2, "remove_unused_columns": False, "logging_steps": 1, "data_seed": 0}
    settings = command_settings(config(DPOConfig, tmp_path, **chosen), lora(), "embedded", tmp_path / "pairs")
    run_command("trl", "dpo", "--config", write_settings(tmp_path / "dpo.yaml", settings))
    found = json.loads((tmp_path / "out" / "checkpoint-3" / "trainer_state.json").read_text())["log_history"]

    trainer = DPOTrainer(
        load_model("embedded"), args=config(DPOConfig, tmp_path / "notebook", **chosen),
        train_dataset=pairs, processing_class=load_processor("embedded"), peft_config=lora(),
    )  # fmt: skip
    trainer.train()
    wanted = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert len(wanted) == 3
    assert wanted[0] == pytest.approx(math.log(2), abs=1e-4)
    assert wanted[-1] != wanted[0], "nothing was learnt, so nothing was compared"
    assert [row["loss"] for row in found if "loss" in row] == pytest.approx(wanted, abs=1e-4)
