"""Examples a second, three times: as lesson 04 trains, as ``trl sft`` does by its defaults, and as the card alone could.

All three are the same model, type, adapter, batch and accumulation. The lesson's training has its settings of the profile
beside that; ``trl sft`` has ``max_length: null``, without which answers would be cut off, and TRL's defaults; the card alone
repeats the lesson's own steps on batches that are in its memory already, so that nobody waits for a picture.
"""

import re
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from helpers.course.gpu_peaks import lesson_lora, without_gradient
from helpers.course.profiles import examples_a_step
from helpers.data import open_picture
from helpers.memory import choose_batch, free_memory, measure_peak_memory
from helpers.models import SHORT_ANSWER, Hardware, choose_workers, load_model
from helpers.training import command_settings, run_command, save_conversations, write_settings


@dataclass(frozen=True)
class Plan:
    """What the three have in common. ``values``: a profile's parameters; the others are what comes of them on this machine."""

    model: str
    precision: str
    device: str
    values: dict
    batch: int
    accumulation: int
    checkpointing: bool
    workers: int
    steps: int

    @classmethod
    def of_profile(
        cls, values: dict, model: str, processor, rows: Dataset, precision: str, hardware: Hardware, steps: int
    ) -> "Plan":
        """What lesson 04 makes of a profile's ``values`` on this machine. ``rows``: of :func:`helpers.data.load_chartqa`."""
        batch, accumulation, checkpointing, _ = choose_batch(
            model, processor, rows, hardware, precision, batch_size=values["BATCH_SIZE"],
            examples=examples_a_step(values["PROFILE"], values["BATCH_SIZE"], values["GRADIENT_ACCUMULATION"]),
            checkpointing=values["ACTIVATION_CHECKPOINTING"], lora=lesson_lora(model, values["LORA_RANK"]), frozen_vision=True,
        )  # fmt: skip
        workers, _ = choose_workers(values["N_WORKERS"], hardware.device)
        return cls(model, precision, hardware.device, values, batch, accumulation, checkpointing, workers, steps)

    @property
    def examples(self) -> int:
        """In one optimizer step."""
        return self.batch * self.accumulation


def to_conversations(rows: dict) -> dict:
    """Lesson 04's, here where a loading process can find it."""
    return {
        "image": [open_picture(image) for image in rows["image"]],
        "prompt": [[{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": q}] for q in rows["query"]],
        "completion": [[{"role": "assistant", "content": label[0]}] for label in rows["label"]],
    }


class TimedTrainer(SFTTrainer):
    """``copied``: the seconds that its batches took from where the loader had put them to its device."""

    copied = 0.0

    def _prepare_inputs(self, inputs: dict) -> dict:
        _finish(self.args.device)
        began = time.perf_counter()
        prepared = super()._prepare_inputs(inputs)
        _finish(self.args.device)
        self.copied += time.perf_counter() - began
        return prepared


def _finish(device: torch.device) -> None:
    """Wait until the device has done what it was given: until then the CPU is only ahead of it."""
    if device.type == "cuda":
        torch.cuda.synchronize()


class StepTimes(TrainerCallback):
    """When each optimizer step began, with its pictures there, and when it was really over, on the card too."""

    def __init__(self) -> None:
        self.begins: list[float] = []
        self.ends: list[float] = []

    @property
    def seconds(self) -> list[float]:
        """From the end of one step to the end of the next; the first two steps, which warm up, left out."""
        return [end - last for last, end in zip(self.ends[1:], self.ends[2:], strict=False)]

    @property
    def wait_share(self) -> float:
        """Of those seconds, the share that passed before the pictures were there."""
        return sum(began - last for last, began in zip(self.ends[1:], self.begins[2:], strict=False)) / sum(self.seconds)

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        self.begins.append(time.perf_counter())

    def on_step_end(self, args, state, control, **kwargs) -> None:
        _finish(args.device)
        self.ends.append(time.perf_counter())


def measure_speed(plan: Plan, processor, rows: Dataset, folder: Path) -> dict:
    """Lesson 04's training and the card alone: examples a second, seconds a step, peak.

    ``rows``: of :func:`helpers.data.load_chartqa`. ``lesson_with_start``: the trainer's own figure, its first steps included,
    which is what ``trl sft`` prints too; ``lesson`` and ``card_alone`` are without the first two steps. ``copy_seconds``: of
    an optimizer step, what the way of its batches to the device takes, all steps counted; the card alone is spared it.
    """
    free_memory()
    times, values = StepTimes(), plan.values
    config = SFTConfig(
        output_dir=str(folder / "lesson"), max_steps=plan.steps, per_device_train_batch_size=plan.batch,
        gradient_accumulation_steps=plan.accumulation, activation_checkpointing=plan.checkpointing,
        learning_rate=values["LEARNING_RATE"], lr_scheduler_type="cosine", warmup_steps=0.1, max_grad_norm=1.0,
        bf16=plan.precision == "bfloat16", fp16=plan.precision == "float16", use_cpu=plan.device == "cpu", max_length=None,
        remove_unused_columns=False, dataloader_num_workers=plan.workers, dataloader_persistent_workers=plan.workers > 0,
        dataloader_prefetch_factor=4 if plan.workers else None,
        save_strategy="no", report_to="none", seed=values["SEED"], data_seed=values["SEED"],
    )  # fmt: skip
    trainer = TimedTrainer(
        model=load_model(plan.model, plan.precision, "none", plan.device), args=config, processing_class=processor,
        train_dataset=rows.with_transform(to_conversations), peft_config=lesson_lora(plan.model, values["LORA_RANK"]),
        callbacks=[times],
    )  # fmt: skip
    without_gradient(trainer.model)
    with measure_peak_memory(plan.device, tensors=False) as memory:
        trainer.train()
    copy_seconds = trainer.copied / plan.steps  # now: the card alone goes the same way once more
    figures = {
        "lesson": plan.examples * len(times.seconds) / sum(times.seconds),
        "lesson_with_start": _of_log(trainer.state.log_history),
        "card_alone": plan.examples / _step_alone(trainer, plan.accumulation),
        "data_wait_share": times.wait_share,
        "copy_seconds": copy_seconds,
        "lesson_peak_gb": memory.peak_bytes / 1e9,
    }
    del trainer
    free_memory()
    return figures


def _of_log(log: list[dict]) -> float:
    return next(row["train_samples_per_second"] for row in log if "train_samples_per_second" in row)


def _step_alone(trainer: SFTTrainer, accumulation: int, steps: int = 3) -> float:
    """Seconds of an optimizer step of the trainer's own code on batches that lie on its device; the first step warms up."""
    model = trainer.model.train()
    batches = [trainer._prepare_inputs(batch) for batch in islice(trainer.get_train_dataloader(), accumulation)]
    trained = sum(int((batch["labels"] != -100).sum()) for batch in batches)
    seconds = []
    for _ in range(1 + steps):
        began = time.perf_counter()
        for batch in batches:
            trainer.training_step(model, dict(batch), trained)
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()
        _finish(trainer.args.device)
        seconds.append(time.perf_counter() - began)
    return sum(seconds[1:]) / steps


def measure_trl(plan: Plan, rows: Dataset, folder: Path) -> float:
    """Examples a second of ``trl sft``, its first steps included."""
    free_memory()
    save_conversations(rows, folder / "data" / "train.parquet")
    config = SFTConfig(
        output_dir=str(folder / "trl"), max_steps=plan.steps, per_device_train_batch_size=plan.batch,
        gradient_accumulation_steps=plan.accumulation, max_length=None, bf16=plan.precision == "bfloat16",
        fp16=plan.precision == "float16", use_cpu=plan.device == "cpu",
    )  # fmt: skip
    lora = lesson_lora(plan.model, plan.values["LORA_RANK"])
    settings = write_settings(folder / "sft.yaml", command_settings(config, lora, plan.model, folder / "data"))
    # By the interpreter: where packages lie in a folder of their own, there is no program called trl.
    program = (Path(sys.executable).name, "-c", "from trl.cli import main; main()")
    printed = run_command(*program, "sft", "--config", settings, HF_HUB_OFFLINE="1")
    return float(re.findall(r"'train_samples_per_second': '?([\d.]+)", printed)[-1])
