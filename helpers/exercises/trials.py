"""Short trainings of the embedded model, for the experiments with a bar to clear: seconds each, judged on unseen charts."""

import tempfile
from functools import lru_cache

from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

from helpers.data import load_chartqa, open_picture
from helpers.evaluation import generate_answers, relaxed_accuracy
from helpers.lora import count_parameters
from helpers.memory import estimate_training_memory
from helpers.models import SHORT_ANSWER, load_model, load_processor

TEXT_LAYERS = r".*text_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
_LORA = ("r", "lora_alpha", "target_modules")
_STEP = ("per_device_train_batch_size", "gradient_accumulation_steps", "activation_checkpointing")


def count(settings: dict) -> tuple[int, int]:
    """(trainable parameters, adapted layers of the vision tower) of the embedded model with these LoRA settings."""
    found = count_parameters("embedded", _lora(settings))
    return found.trainable, len(found.modules("vision"))


def peak_bytes(settings: dict) -> int:
    """The peak of a training step, by a dry run: rank 16 on all layers of the text model, one tile for each example."""
    _only(settings, _STEP)
    return _peak_bytes(settings["per_device_train_batch_size"], settings["activation_checkpointing"])


@lru_cache
def _peak_bytes(batch_size: int, checkpointing: bool) -> int:
    return estimate_training_memory(
        "embedded", lora=_lora({"r": 16, "target_modules": TEXT_LAYERS}), precision="float32", image_tiles=1, text_tokens=40,
        batch_size=batch_size, activation_checkpointing=checkpointing,
    ).total  # fmt: skip


def accuracy_with_lora(settings: dict, steps: int = 60) -> float:
    """Relaxed accuracy on unseen charts after ``steps`` of 16 examples with these LoRA settings and learning rate."""
    _only(settings, (*_LORA, "learning_rate"))
    lora = {name: settings[name] for name in _LORA if name in settings}
    return _accuracy(_frozen(lora), _frozen({"learning_rate": settings["learning_rate"], **_BATCH}), steps)


def accuracy_with_step(settings: dict, steps: int = 15) -> float:
    """The same, with these settings of the step."""
    _only(settings, _STEP)
    return _accuracy(_frozen({"r": 16, "target_modules": TEXT_LAYERS}), _frozen({"learning_rate": 2e-3, **settings}), steps)


_BATCH = {"per_device_train_batch_size": 16, "gradient_accumulation_steps": 1, "activation_checkpointing": False}


@lru_cache(maxsize=16)  # a check that is asked twice doesn't train twice
def _accuracy(lora: tuple, step: tuple, steps: int) -> float:
    processor, test = load_processor("embedded"), load_chartqa("embedded", "test", 120, seed=7)
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=load_model("embedded"),
            args=SFTConfig(
                folder, max_steps=steps, lr_scheduler_type="cosine", warmup_steps=0.1, bf16=False, use_cpu=True,
                max_length=None, remove_unused_columns=False, save_strategy="no", report_to="none", seed=0,
                disable_tqdm=True, logging_strategy="no", **_thawed(step),
            ),
            processing_class=processor,
            train_dataset=load_chartqa("embedded", "train", 16 * steps, seed=7).with_transform(prompt_and_completion),
            peft_config=_lora(_thawed(lora)),
        )  # fmt: skip
        trainer.train()
    answers = generate_answers(trainer.model, processor, test, batch_size=60)
    return relaxed_accuracy(answers, [row["label"] for row in test.select_columns("label")])


def prompt_and_completion(rows):
    """As lesson 04 splits an example."""
    prompts = [[{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": query}] for query in rows["query"]]
    completions = [[{"role": "assistant", "content": label[0]}] for label in rows["label"]]
    return {"image": [open_picture(image) for image in rows["image"]], "prompt": prompts, "completion": completions}


def _lora(settings: dict) -> LoraConfig:
    named = {name: settings[name] for name in _LORA if name in settings}
    return LoraConfig(**{"lora_alpha": 2 * named["r"]} | named, task_type="CAUSAL_LM")


def _only(settings: dict, names: tuple[str, ...]) -> None:
    if unknown := set(settings) - set(names):
        raise ValueError(f"settings has {', '.join(sorted(unknown))}; this experiment turns {', '.join(names)}")


def _frozen(settings: dict) -> tuple:
    return tuple(sorted((name, tuple(v) if isinstance(v, list) else v) for name, v in settings.items()))


def _thawed(settings: tuple) -> dict:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings}
