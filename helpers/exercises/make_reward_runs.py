"""The runs of lesson 08's exercises, really trained by reward, one mistake each, from the start that lesson 08 made.

``python -m helpers.exercises.make_reward_runs`` trains them anew into ``exercises/runs/``, minutes on two cores.
"""

import sys
import tempfile

from peft import LoraConfig
from trl import GRPOConfig, GRPOTrainer

from helpers.course import made_by
from helpers.data import kind_of, load_chartqa, open_picture
from helpers.evaluation import generate_answers, relaxed_match
from helpers.exercises.make_runs import accuracy, log_of, write
from helpers.exercises.trials import TEXT_LAYERS
from helpers.models import SHORT_ANSWER, load_model, load_processor

_KEPT = ("step", "loss", "grad_norm", "reward", "reward_std", "frac_reward_zero_std", "entropy")
_LENGTHS = ("completions/mean_length", "completions/clipped_ratio")


def train_grpo(rows, rewards, *, steps, **settings):
    """A short GRPO of lesson 08's start, eight groups of eight a step: the trainer, and its log without what nobody reads."""
    with tempfile.TemporaryDirectory() as folder:
        config = GRPOConfig(
            folder, max_steps=steps, num_generations=8, per_device_train_batch_size=64, learning_rate=6e-4, warmup_steps=0.1,
            lr_scheduler_type="constant_with_warmup", temperature=1.0, logging_steps=1, activation_checkpointing=False,
            bf16=False, use_cpu=True, save_strategy="no", report_to="none", seed=0, disable_tqdm=True, **settings,
        )  # fmt: skip
        trainer = GRPOTrainer(
            model=load_model(_start()),
            args=config,
            processing_class=load_processor("embedded"),
            reward_funcs=rewards,
            train_dataset=rows.with_transform(with_labels),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules=TEXT_LAYERS, task_type="CAUSAL_LM"),
        )
        trainer.train()
    log = [{key: row[key] for key in (*_KEPT, *_LENGTHS)} for row in log_of(trainer)]
    return trainer, log


def with_labels(rows):
    """As lesson 08 puts an example."""
    prompts = [[{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": query}] for query in rows["query"]]
    return {"image": [open_picture(image) for image in rows["image"]], "prompt": prompts, "label": rows["label"]}


def _start() -> str:
    return str(made_by("08_grpo_rewards", "start", "tiny"))


def jackdaw():
    """Half the reward for the label's occurring somewhere, half for length."""
    rows, test = load_chartqa("embedded", "train", 400, seed=8), load_chartqa("embedded", "test", 96)

    def occurs(completions, label, **_):
        return [float(target[0].lower() in said[0]["content"].lower()) for said, target in zip(completions, label, strict=True)]

    def length(completion_ids, **_):
        return [min(1.0, len(ids) / 16) for ids in completion_ids]

    settings = {"beta": 0.0, "reward_weights": [0.5, 0.5], "max_completion_length": 16}
    trainer, log = train_grpo(rows, [occurs, length], steps=40, **settings)
    answers = generate_answers(trainer.model, load_processor("embedded"), test.select(range(8)))
    before, after = accuracy(load_model(_start()), test), accuracy(trainer.model, test)
    write("jackdaw", log, accuracy_before=before, accuracy_after=after, answers_after=answers)


def shrike():
    """Right or wrong by the metric, of the answers as they were written: a space first."""
    rows = load_chartqa("embedded", "train", 400, seed=8)
    rows = rows.select(
        [at for at, query in enumerate(rows.select_columns("query")["query"]) if kind_of(query) == "yes/no"][:64]
    )
    written = []

    def matches(completions, label, **_):
        said = [completion[0]["content"] for completion in completions]
        written.extend([text, target[0]] for text, target in zip(said, label, strict=True))
        return [float(relaxed_match(text, target)) for text, target in zip(said, label, strict=True)]

    _, log = train_grpo(rows, [matches], steps=5, beta=0.0, max_completion_length=8)
    write("shrike", log, answers=written[::8])


MAKERS = {maker.__name__: maker for maker in (jackdaw, shrike)}

if __name__ == "__main__":
    for name in sys.argv[1:] or MAKERS:
        MAKERS[name]()
