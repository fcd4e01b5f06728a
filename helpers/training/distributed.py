"""Train from a TRL settings file in as many processes as torchrun starts.

``torchrun --nproc-per-node 2 -m helpers.training.distributed --config x.yaml``: what ``trl sft`` does, and a note of how many
processes really took part. The engine is TRL's trainer on accelerate; nothing here knows about ranks.
"""

import json
import os
import sys
from pathlib import Path

import torch.distributed as dist
from datasets import load_dataset
from transformers import TrainerCallback
from trl import SFTTrainer, get_peft_config, get_quantization_config
from trl.scripts.sft import make_parser


class NoteProcesses(TrainerCallback):
    """Asks the process group itself, inside the training; rank 0 writes the answer to ``processes.json``."""

    def on_train_begin(self, args, state, control, **kwargs):
        ids, backend = [os.getpid()], "none"
        if dist.is_initialized():
            ids, backend = [0] * dist.get_world_size(), dist.get_backend()
            dist.all_gather_object(ids, os.getpid())
        if state.is_world_process_zero:
            note = {"world_size": len(ids), "process_ids": ids, "backend": backend}
            (Path(args.output_dir) / "processes.json").write_text(json.dumps(note), encoding="utf-8")


def train(words: list[str]) -> None:
    """``words``: as on the command line of ``trl sft``."""
    script, config, model, _ = make_parser().parse_args_and_config(words)
    Path(config.output_dir).mkdir(parents=True, exist_ok=True)
    config.model_init_kwargs = {"dtype": model.dtype, "revision": model.model_revision}
    rows = load_dataset(script.dataset_name)
    trainer = SFTTrainer(
        model=model.model_name_or_path,
        args=config,
        train_dataset=rows["train"],
        eval_dataset=rows["test"] if config.eval_strategy != "no" else None,
        quantization_config=get_quantization_config(model),
        peft_config=get_peft_config(model),
        callbacks=[NoteProcesses()],
    )
    trainer.model_accepts_loss_kwargs = True  # Qwen's models would average the processes' losses, whatever their tokens
    trainer.train()
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    train(sys.argv[1:])
