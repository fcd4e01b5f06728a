"""Data loaded by other processes: the same losses, less waiting, where processes are forked and where they are started anew."""

import os
import subprocess
import sys
import time

import nbformat
import pytest
import torch
from peft import LoraConfig
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from helpers.course import check_value
from helpers.data import load_chartqa
from helpers.lora import text_layers
from helpers.models import choose_workers, hardware, load_model, load_processor
from helpers.paths import NOTEBOOKS, ROOT
from helpers.training import as_conversations, portable, settings_key


def stopwatch(lesson: str) -> str:
    """The source of the callback in a lesson's cell."""
    cells = nbformat.read(NOTEBOOKS / lesson, as_version=4).cells
    (source,) = [cell.source for cell in cells if cell.source.startswith("class DataWait")]
    return source.partition("\n\n\n")[0]


def test_both_lessons_have_the_same_stopwatch():
    assert stopwatch("04_sft_chartqa.ipynb") == stopwatch("07_scaling_out.ipynb")


def slowly(rows):
    time.sleep(0.02 * len(rows["query"]))
    return as_conversations(rows)


def trained(folder, workers: int, steps: int, batch: int) -> tuple[float, list[float]]:
    """The share of waiting, by lesson 04's own callback, and the losses."""
    names = {"TrainerCallback": TrainerCallback, "time": time, "torch": torch}
    exec(stopwatch("04_sft_chartqa.ipynb"), names)
    config = SFTConfig(
        output_dir=str(folder), max_steps=steps, per_device_train_batch_size=batch, dataloader_num_workers=workers,
        dataloader_persistent_workers=workers > 0, dataloader_prefetch_factor=4 if workers else None, logging_steps=1,
        activation_checkpointing=False, bf16=False, use_cpu=True, max_length=None, remove_unused_columns=False,
        save_strategy="no", report_to="none", seed=0, data_seed=0,
    )  # fmt: skip
    wait = names["DataWait"]()
    rows = load_chartqa("embedded", "train", steps * batch, seed=0).with_transform(slowly)  # an epoch, as lesson 04 trains two
    lora = LoraConfig(r=4, target_modules=text_layers("embedded"), task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        load_model("embedded"), args=config, train_dataset=rows, processing_class=load_processor("embedded"),
        peft_config=lora, callbacks=[wait],
    )  # fmt: skip
    trainer.train()
    return wait.share, [row["loss"] for row in trainer.state.log_history if "loss" in row]


def test_the_losses_are_the_same_and_the_waiting_is_less(tmp_path):
    alone, losses = trained(tmp_path, workers=0, steps=12, batch=4)
    beside, others = trained(tmp_path, workers=2, steps=12, batch=4)
    assert losses == others
    assert len(losses) == 12
    assert beside < alone


@pytest.mark.slow  # needs two cores for itself
def test_two_processes_take_most_of_the_waiting(tmp_path):
    alone, losses = trained(tmp_path, workers=0, steps=40, batch=16)
    beside, others = trained(tmp_path, workers=2, steps=40, batch=16)
    assert losses == others
    assert alone >= 0.4
    assert beside <= alone / 3


STARTED_ANEW = """
import multiprocessing, os, sys
from torch.utils.data import DataLoader
from helpers.data import load_chartqa
from helpers.training import portable

PLACE = "Spain"

def upper(text):
    return text.upper() + PLACE

{decorator}
def written_here(rows):
    return {{"text": [upper(query) for query in rows["query"]], "process": [os.getpid()] * len(rows["query"])}}

if __name__ == "__main__":
    rows = load_chartqa("embedded", "train", 6).with_transform(written_here)
    loader = DataLoader(rows, batch_size=3, num_workers=1, multiprocessing_context="{how}", collate_fn=list)
    found = [row for batch in loader for row in batch]
    assert [row["text"] for row in found] == [row["text"] for row in rows]
    assert os.getpid() not in {{row["process"] for row in found}}
    print("as written")
"""


@pytest.mark.parametrize("how", ["fork", "spawn", pytest.param("forkserver", marks=pytest.mark.slow)])
def test_a_transform_of_a_notebook_reaches_other_processes(how):
    """As in a kernel, the function's module is one that other processes can't import: here the program's text."""
    if os.name == "nt" and how != "spawn":
        pytest.skip("Windows only starts processes anew")
    code = STARTED_ANEW.format(decorator="@portable", how=how)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip().endswith("as written"), done.stderr[-2000:]


@pytest.mark.slow  # a process that is started anew imports all libraries
def test_without_it_a_process_that_is_started_anew_does_not_know_the_function():
    code = STARTED_ANEW.format(decorator="", how="spawn")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "written_here" in done.stderr
    assert done.returncode != 0


def test_a_portable_function_is_the_function():
    @portable
    def doubled(rows):
        """Twice."""
        return [2 * row for row in rows]

    assert doubled([1, 2]) == [2, 4]
    assert doubled.__doc__ == "Twice."


def test_how_many_processes(monkeypatch):
    monkeypatch.setattr(hardware, "free_cores", lambda: 16)
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda path: type("", (), {"free": 8e9}))
    assert choose_workers(3, "cpu") == (3, "as the profile asks")
    assert choose_workers("auto", "cpu")[0] == 0
    assert choose_workers("auto", "cuda")[0] == 4
    monkeypatch.setattr(hardware, "free_cores", lambda: 3)
    assert choose_workers("auto", "cuda")[0] == 2
    monkeypatch.setattr(hardware, "free_cores", lambda: 1)
    assert choose_workers("auto", "cuda")[0] == 0
    monkeypatch.setattr(hardware.os.path, "isdir", lambda path: True)
    monkeypatch.setattr(hardware.shutil, "disk_usage", lambda path: type("", (), {"free": 64e6}))
    count, reason = choose_workers("auto", "cuda")
    assert count == 0
    assert "64 MB of shared memory" in reason


@pytest.mark.parametrize(("value", "said"), [("Auto", "Did you mean 'auto'"), (-1, "auto or a whole number from 0")])
def test_a_number_or_auto(value, said):
    assert check_value("N_WORKERS", "auto") == "auto"
    assert check_value("N_WORKERS", 0) == 0
    with pytest.raises(ValueError, match=said):
        check_value("N_WORKERS", value)


def test_an_interrupted_training_goes_on_with_another_number_of_processes(tmp_path):
    plain = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False, "activation_checkpointing": False}
    with_two = SFTConfig(**plain, dataloader_num_workers=2, dataloader_persistent_workers=True)
    assert settings_key(SFTConfig(**plain)) == settings_key(with_two)
    assert settings_key(SFTConfig(**plain)) != settings_key(SFTConfig(**plain, seed=7))
