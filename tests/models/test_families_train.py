"""A few steps of SFT and DPO on a tiny model of each family: what TRL reports is what the loss means."""

import json
import math

import pytest
import torch
from peft import LoraConfig
from transformers import set_seed
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

from helpers.data import load_chartqa, load_preferences
from helpers.lora import text_layers
from helpers.models import load_model, load_processor
from helpers.training import as_conversations, command_settings, run_command, save_conversations, write_settings

AVERAGES = {"qwen2_5_vl", "qwen3_vl"}  # transformers says of these: accepts_loss_kwargs = False
LENGTHS = (1, 12, 2, 7, 1, 9, 3, 12)  # words of the answers: a mean of means is far from the mean of all tokens


def rows_of_many_lengths():
    rows = load_chartqa("embedded", "train", len(LENGTHS))
    words = ("Spain", "and", "then", "Italy", "Kenya", "or", "Chile", "coal", "oil", "rice", "wheat", "too")
    labels = [[" ".join(words[:length])] for length in LENGTHS]
    return rows.with_format(None).remove_columns("label").add_column("label", labels)


def adapters(folder: str) -> LoraConfig:
    return LoraConfig(r=2, lora_alpha=4, lora_dropout=0.0, target_modules=text_layers(folder), task_type="CAUSAL_LM")


def settings(out, batch_size: int, accumulation: int) -> SFTConfig:
    return SFTConfig(
        output_dir=str(out), max_steps=2, per_device_train_batch_size=batch_size, gradient_accumulation_steps=accumulation,
        learning_rate=1e-2, lr_scheduler_type="constant", max_length=None, remove_unused_columns=False, logging_steps=1,
        activation_checkpointing=False, bf16=False, use_cpu=True, report_to="none", save_strategy="no", seed=0, data_seed=0,
        disable_tqdm=True,
    )  # fmt: skip


def make_trainer(folder: str, config: SFTConfig, told: bool) -> SFTTrainer:
    trainer = SFTTrainer(
        model=load_model(folder), args=config, processing_class=load_processor(folder),
        train_dataset=rows_of_many_lengths().with_transform(as_conversations), peft_config=adapters(folder),
    )  # fmt: skip
    if told:
        trainer.model_accepts_loss_kwargs = True
    return trainer


def losses_of(trainer: SFTTrainer) -> list[float]:
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


def apart(one: list[float], other: list[float]) -> float:
    assert len(one) == len(other) == 2
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def test_accumulated_losses_add_up_over_tokens(family, family_folder, tmp_path):
    """The first step's loss, by hand, is the mean over all answer tokens; split in two it stays so, and so does the next."""
    folder = family_folder(family)
    whole = losses_of(make_trainer(folder, settings(tmp_path / "whole", 4, 1), told=True))
    split = losses_of(make_trainer(folder, settings(tmp_path / "split", 2, 2), told=True))
    assert apart(whole, split) < 1e-4

    trainer = make_trainer(folder, settings(tmp_path / "hand", 4, 1), told=True)
    set_seed(0)  # as it does itself before it draws the order of the examples
    batch = dict(next(iter(trainer.get_train_dataloader())))
    model = load_model(folder)
    labels = batch.pop("labels")[:, 1:]
    with torch.no_grad():
        predicted = model(**batch).logits[:, :-1].float().log_softmax(-1)
    answers = labels != -100
    by_hand = -predicted[answers].gather(-1, labels[answers].unsqueeze(-1)).mean().item()
    assert whole[0] == pytest.approx(by_hand, abs=1e-4)


@pytest.mark.parametrize("family", sorted(AVERAGES))
def test_untold_qwen_averages_the_accumulated_batches(family, family_folder, tmp_path):
    """The day this fails, the line in the lessons' trainers and the prose about it can go."""
    folder = family_folder(family)
    whole = losses_of(make_trainer(folder, settings(tmp_path / "whole", 4, 1), told=False))
    split = losses_of(make_trainer(folder, settings(tmp_path / "split", 2, 2), told=False))
    assert apart(whole, split) >= 1e-3


def two_processes(folder: str, tmp_path) -> float:
    """How far the losses of two processes with half the batch each are from those of one."""
    data = tmp_path / "data"
    save_conversations(rows_of_many_lengths(), data / "train.parquet")
    found = []
    for processes in (1, 2):
        out = tmp_path / f"on {processes}"
        config = settings(out, 4 // processes, 1)
        config.save_strategy = "steps"
        config.save_steps = 2
        file = write_settings(tmp_path / f"{processes}.yaml", command_settings(config, adapters(folder), folder, data))
        start = ("torchrun", "--standalone", "--nproc-per-node", str(processes), "-m", "helpers.training.distributed")
        run_command(*start, "--config", file, OMP_NUM_THREADS="1")
        assert json.loads((out / "processes.json").read_text())["world_size"] == processes
        state = json.loads((out / "checkpoint-2" / "trainer_state.json").read_text())
        found.append([row["loss"] for row in state["log_history"] if "loss" in row])
    return apart(*found)


def test_two_processes_weigh_by_tokens_on_qwen_too(family_folder, tmp_path):
    assert two_processes(family_folder("qwen2_5_vl"), tmp_path) < 1e-4


@pytest.mark.slow
def test_two_processes_weigh_by_tokens(family, family_folder, tmp_path):
    assert two_processes(family_folder(family), tmp_path) < 1e-4


def test_two_steps_of_dpo(family, family_folder, tmp_path):
    folder = family_folder(family)
    pairs = load_preferences("embedded", "train", 4)
    config = DPOConfig(
        output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=2, learning_rate=1e-2, beta=0.2,
        loss_type=["sigmoid", "sft"], max_length=None, remove_unused_columns=False, logging_steps=1, bf16=False, use_cpu=True,
        activation_checkpointing=False, report_to="none", save_strategy="no", seed=0, disable_tqdm=True,
    )  # fmt: skip
    processor = load_processor(folder)
    trainer = DPOTrainer(
        model=load_model(folder), args=config, processing_class=processor, train_dataset=pairs, peft_config=adapters(folder)
    )
    trainer.train()
    rows = [row for row in trainer.state.log_history if "loss" in row]
    assert len(rows) == 2
    assert all(row["grad_norm"] > 0 for row in rows)

    wanted = ("images", "prompt", "chosen", "rejected")
    batch = DataCollatorForVisionPreference(processor)([{name: pairs[at][name] for name in wanted} for at in range(4)])
    model = trainer.model.eval()

    @torch.no_grad()
    def log_probabilities():
        inputs = {name: value for name, value in batch.items() if name != "completion_mask"}
        of_next = model(**inputs).logits[:, :-1].float().log_softmax(-1).gather(-1, batch["input_ids"][:, 1:].unsqueeze(-1))
        return (of_next.squeeze(-1) * batch["completion_mask"][:, 1:]).sum(-1).chunk(2)

    chosen, rejected = log_probabilities()
    with model.disable_adapter():
        reference_chosen, reference_rejected = log_probabilities()
    margin = 0.2 * (chosen - reference_chosen - rejected + reference_rejected)
    assert margin.abs().max() > 1e-3  # the adapter has moved: ln 2 alone would prove nothing
    by_hand = -torch.nn.functional.logsigmoid(margin).mean() - chosen.sum() / batch["completion_mask"].chunk(2)[0].sum()
    with torch.no_grad():
        from_trl = trainer.compute_loss(trainer.model, dict(batch)).item()
    assert from_trl == pytest.approx(by_hand.item(), abs=1e-4)
    assert not math.isclose(from_trl, math.log(2), abs_tol=1e-3)
