"""The runs whose logs the exercises diagnose: really trained, on the embedded model, one mistake each.

``python -m helpers.exercises.make_runs [NAME ...]`` trains them anew into ``exercises/runs/``, minutes on two cores, from
what lesson 04 made. The names say nothing about the mistake: they stand in the exercises.
"""

import copy
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from datasets import Dataset, concatenate_datasets
from peft import LoraConfig
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from helpers.course import made_by, read_results
from helpers.data import load_chartqa, load_preferences, open_picture
from helpers.evaluation import generate_answers, relaxed_accuracy
from helpers.exercises.runs import RUNS
from helpers.exercises.trials import TEXT_LAYERS, prompt_and_completion
from helpers.models import SHORT_ANSWER, load_model, load_processor

_COMMON = {
    "activation_checkpointing": False, "lr_scheduler_type": "cosine", "bf16": False, "use_cpu": True, "max_length": None,
    "save_strategy": "no", "report_to": "none", "seed": 0, "disable_tqdm": True,
}  # fmt: skip


def messages(rows):
    """The same conversations in one column."""
    split = prompt_and_completion(rows)
    return {"image": split["image"], "messages": [p + c for p, c in zip(split["prompt"], split["completion"], strict=True)]}


def train_sft(rows, to_examples=prompt_and_completion, *, targets=TEXT_LAYERS, steps, **settings):
    """A short SFT of the embedded model: the trainer, and the rows of its log that hold a loss."""
    processor = load_processor("embedded")
    config = {
        "max_steps": steps, "per_device_train_batch_size": 16, "learning_rate": 2e-3, "warmup_steps": 0.1,
        "logging_steps": max(1, steps // 10), "remove_unused_columns": False,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=load_model("embedded"),
            args=SFTConfig(folder, **_COMMON | config | settings),
            processing_class=processor,
            train_dataset=rows.with_transform(to_examples),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules=targets, task_type="CAUSAL_LM"),
        )
        trainer.train()
    return trainer, log_of(trainer)


def train_dpo(model, pairs: Dataset, *, steps, **settings):
    """A short DPO of ``model``, which stays the reference: its adapter is off."""
    with tempfile.TemporaryDirectory() as folder:
        config = {"max_steps": steps, "per_device_train_batch_size": 8, "logging_steps": max(1, steps // 10)}
        trainer = DPOTrainer(
            model=model,
            args=DPOConfig(folder, **_COMMON | config | settings),
            processing_class=load_processor("embedded"),
            train_dataset=pairs,
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules=TEXT_LAYERS, task_type="CAUSAL_LM"),
        )
        trainer.train()
    return trainer, log_of(trainer)


def log_of(trainer) -> list[dict]:
    return [{key: float(value) for key, value in row.items()} for row in trainer.state.log_history if "loss" in row]


def accuracy(model, rows) -> float:
    return _score(generate_answers(model, load_processor("embedded"), rows, batch_size=40), rows)


def _score(answers: list[str], rows) -> float:
    """Relaxed accuracy, to three places."""
    return round(relaxed_accuracy(answers, [row["label"] for row in rows.select_columns("label")]), 3)


def label_table(rows, to_examples) -> list[list]:
    """Tokens of the first example as the collator makes them, each with whether a loss is computed on it."""
    processor, example = load_processor("embedded"), rows.with_transform(to_examples)[0]
    batch = DataCollatorForVisionLanguageModeling(processor, completion_only_loss="completion" in example)([dict(example)])
    tokens = processor.tokenizer.convert_ids_to_tokens(batch["input_ids"][0].tolist())
    return [[token, label != -100] for token, label in zip(tokens, batch["labels"][0].tolist(), strict=True)]


def write(name: str, log: list[dict], **facts) -> None:
    RUNS.mkdir(parents=True, exist_ok=True)
    (RUNS / f"{name}.json").write_text(json.dumps({"facts": facts, "log": log}, indent=1) + "\n", encoding="utf-8")
    print(name, json.dumps(facts)[:300], log[-1], flush=True)


@lru_cache
def _base_accuracy() -> float:
    return accuracy(load_model("embedded"), _test())


def _test():
    return load_chartqa("embedded", "test", 48)


def heron():
    """Lesson 04's own run, which is as it should be."""
    log = (_lesson_04() / "log.jsonl").read_text(encoding="utf-8").splitlines()
    figures = read_results(_lesson_04().parent / "results.json")["lessons"]["04_sft_chartqa"]
    before, after = (round(figures[f"{which}_relaxed_accuracy"], 3) for which in ("base", "sft"))
    rows = [row for row in map(json.loads, log) if "loss" in row]
    write("heron", rows, accuracy_before=before, accuracy_after=after)


def _lesson_04() -> Path:
    return made_by("04_sft_chartqa", "merged", "tiny").parent


def magpie():
    """SFT on whole conversations: the loss is mostly that of the picture's placeholders."""
    rows = load_chartqa("embedded", "train", 320)
    trainer, log = train_sft(rows, messages, steps=20)
    write(
        "magpie", log, accuracy_before=_base_accuracy(), accuracy_after=accuracy(trainer.model, _test()),
        first_example=label_table(rows, messages),
    )  # fmt: skip


def plover():
    """SFT with a max_length that ends before the answer begins."""
    rows, cut = load_chartqa("embedded", "train", 320), 85
    trainer, log = train_sft(rows, steps=20, max_length=cut)
    lengths = [len(label_table(rows.select([at]), prompt_and_completion)) for at in range(40)]
    write(
        "plover", log, accuracy_before=_base_accuracy(), accuracy_after=accuracy(trainer.model, _test()),
        max_length=cut, tokens_of_examples=lengths,
    )  # fmt: skip


def kestrel():
    """SFT with a list of names that the vision tower uses too."""
    rows = load_chartqa("embedded", "train", 640)
    trainer, log = train_sft(rows, targets=["q_proj", "v_proj"], steps=40)
    trainable, total = trainer.model.get_nb_trainable_parameters()
    names = [name.removeprefix("base_model.model.") for name, p in trainer.model.named_parameters() if p.requires_grad]
    write(
        "kestrel", log, accuracy_before=_base_accuracy(), accuracy_after=accuracy(trainer.model, _test()),
        trainable_parameters=trainable, all_parameters=total, adapter_tensors=names,
    )  # fmt: skip


def _pairs(rows, *, equal: bool = False) -> Dataset:
    """The label against an answer of its kind to another question; ``equal``: against itself."""
    random, columns = np.random.default_rng(0), rows.select_columns(["query", "label"])
    labels = [row["label"][0] for row in columns]
    examples = []
    for row in rows:
        chosen = row["label"][0]
        others = [label for label in labels if label != chosen and label.isalpha() == chosen.isalpha()]
        rejected = chosen if equal else str(random.choice(others))
        prompt = [{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": row["query"]}]
        examples.append({
            "images": [row["image"]], "prompt": prompt, "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        })  # fmt: skip
    return Dataset.from_list(examples)


def petrel_and_curlew():
    """DPO with a learning rate 100 times too high (petrel), and with one that serves (curlew), from lesson 04's model.

    On pairs that are easy to tell apart by their words, as much of the world's preference data is: no rejected answer is a
    wrong value, they are evasions and fragments.
    """
    pairs, test = load_preferences("embedded", "train"), _test()
    kinds = pairs.with_format(None)["rejected_kind"]
    pairs = pairs.select([at for at, kind in enumerate(kinds) if kind != "hallucination"][:160])
    sft = load_model(str(_lesson_04() / "merged"))
    before = accuracy(sft, test)
    for name, rate in (("petrel", 5e-2), ("curlew", 5e-4)):
        trainer, log = train_dpo(copy.deepcopy(sft), pairs, steps=20, learning_rate=rate)
        answers = generate_answers(trainer.model, load_processor("embedded"), test, batch_size=48)
        write(
            name, log, learning_rate=rate, accuracy_before=before, accuracy_after=_score(answers, test),
            answers_after=answers[:8],
        )  # fmt: skip


def dunlin():
    """DPO on pairs whose two sides are the same."""
    pairs = _pairs(load_chartqa("embedded", "val", 80), equal=True)
    trainer, log = train_dpo(load_model("embedded"), pairs, steps=10, learning_rate=1e-4)
    shown = [[row["prompt"][1]["content"], row["chosen"][0]["content"], row["rejected"][0]["content"]] for row in pairs]
    write(
        "dunlin", log, accuracy_before=_base_accuracy(), accuracy_after=accuracy(trainer.model, _test()), pairs=shown,
    )  # fmt: skip


def wigeon():
    """SFT on a training set into which half of the test set has slipped; judged on all of it, and on charts drawn since."""
    train, test, fresh = load_chartqa("embedded", "train", 24), _test(), load_chartqa("embedded", "val", 48)
    mixed = concatenate_datasets([rows.with_format(None) for rows in (train, test.select(range(0, len(test), 2)))])
    trainer, log = train_sft(mixed, steps=30)
    write(
        "wigeon", log, accuracy_before=_base_accuracy(), accuracy_after=accuracy(trainer.model, test),
        accuracy_on_charts_drawn_since=accuracy(trainer.model, fresh), training_rows=_fingerprints(mixed),
        test_rows=_fingerprints(test),
    )  # fmt: skip


def _fingerprints(rows) -> list[list[str]]:
    """Each row's picture, by the start of its pixels' hash, and its question."""
    pictures = (hashlib.sha256(open_picture(row["image"]).tobytes()).hexdigest()[:12] for row in rows)
    return [[picture, row["query"]] for picture, row in zip(pictures, rows.select_columns(["query"]), strict=True)]


_ONE_EPOCH = """
import json, sys
from helpers.data import load_chartqa
from helpers.exercises.make_runs import train_sft
trainer, log = train_sft(load_chartqa("embedded", "train", 64), steps=-1, num_train_epochs=1, logging_steps=1,
                         per_device_train_batch_size=4, lr_scheduler_type="constant", warmup_steps=0)
if trainer.accelerator.is_main_process:
    json.dump({"log": log, "processes": trainer.accelerator.num_processes}, open(sys.argv[1], "w"))
"""


def avocet():
    """One epoch over 64 rows, started with a command that was meant to start two processes."""
    with tempfile.TemporaryDirectory() as folder:
        script, out = os.path.join(folder, "train.py"), os.path.join(folder, "out.json")
        with open(script, "w", encoding="utf-8") as file:
            file.write(_ONE_EPOCH)
        command = ["accelerate", "launch", "--cpu", "--num_processes", "2"]
        subprocess.run([sys.executable, "-m", "accelerate.commands.launch", *command[2:], script, out], check=True)
        with open(out, encoding="utf-8") as file:
            run = json.load(file)
    write(
        "avocet", run["log"], command=" ".join([*command, "train.py"]), rows=64, per_device_train_batch_size=4,
        gradient_accumulation_steps=1, num_train_epochs=1,
    )  # fmt: skip
    assert run["processes"] == 1, "this version of accelerate starts two: the exercise about it is out of date"


MAKERS = {maker.__name__: maker for maker in (heron, magpie, plover, kestrel, petrel_and_curlew, dunlin, wigeon, avocet)}

if __name__ == "__main__":
    for name in sys.argv[1:] or MAKERS:
        MAKERS[name]()
