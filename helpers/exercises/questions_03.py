"""What the exercises of lesson 03 check: accumulation, what AdamW keeps, and the same step in half the memory."""

from helpers.exercises.checks import Case, Function, Number, Value
from helpers.exercises.exercise import Question
from helpers.exercises.questions_01 import PARAMETERS

BASELINE = {"per_device_train_batch_size": 16, "gradient_accumulation_steps": 1, "activation_checkpointing": False}


def batch_loss(losses, tokens):
    return sum(loss * n for loss, n in zip(losses, tokens, strict=True)) / sum(tokens)


def plan_batch(memory, fixed, per_example, effective):
    fits = int((memory - fixed) // per_example)
    sizes = [size for size in range(1, effective + 1) if size <= fits and effective % size == 0]
    return (max(sizes), effective // max(sizes)) if sizes else None


def _plan_any_size(memory, fixed, per_example, effective):
    fits = min(effective, int((memory - fixed) // per_example))
    return (fits, -(-effective // fits)) if fits > 0 else None


def _half_problem(settings) -> str | None:
    from helpers.exercises import trials  # here: it trains, and needs torch, TRL and PEFT

    if not isinstance(settings, dict) or set(settings) != set(BASELINE):
        return f"settings is a dict with {', '.join(BASELINE)}"
    batch, accumulation, checkpointing = (settings[name] for name in BASELINE)
    if not (isinstance(batch, int) and isinstance(accumulation, int) and min(batch, accumulation) > 0):
        return "batch and accumulation are whole numbers, at least 1"
    if not isinstance(checkpointing, bool):
        return "activation_checkpointing is True or False"
    step = batch * accumulation
    if step != 16:
        return (
            f"a step now learns from {step} examples instead of 16: that is another training. per_device_train_batch_size "
            "times gradient_accumulation_steps must stay"
        )
    share = trials.peak_bytes(settings) / trials.peak_bytes(BASELINE)
    if share > 0.5:
        return f"the peak is {share:.2f} of what it was, by a dry run; the bar is 0.5. What grows with the examples in memory?"
    before, after = trials.accuracy_with_step(BASELINE), trials.accuracy_with_step(settings)
    return None if after >= before - 0.02 else f"relaxed accuracy fell from {before:.3f} to {after:.3f}: more than 0.02"


QUESTIONS = {
    "q1": Question(
        Function(
            "batch_loss",
            batch_loss,
            [
                Case(([2.0, 1.0], [1, 3])),
                Case(([0.5, 0.7, 0.9], [10, 1, 4])),
                Case(([1.5], [8])),
                Case(([4.0, 0.0, 2.0], [2, 30, 5])),
            ],
            "Trainers took the plain mean for years: long answers counted too little as soon as gradients were accumulated.",
            mistakes=(
                (
                    lambda losses, tokens: sum(losses) / len(losses),
                    "the plain mean: a batch of one-word answers counts as much as one of long sentences",
                ),
                (
                    lambda losses, tokens: sum(loss * n for loss, n in zip(losses, tokens, strict=True)),
                    "that is the sum over all tokens; the loss is their mean",
                ),
                (
                    lambda losses, tokens: sum(loss * n for loss, n in zip(losses, tokens, strict=True)) / len(losses),
                    "weighted by tokens, but divided by the number of batches: divide by all tokens",
                ),
                (
                    lambda losses, tokens: sum(losses) / sum(tokens),
                    "each loss is a mean already: multiply it by its tokens first",
                ),
                (
                    lambda losses, tokens: (
                        sum(loss / n for loss, n in zip(losses, tokens, strict=True)) / sum(1 / n for n in tokens)
                    ),
                    "the weights are upside down: many tokens weigh much",
                ),
            ),
        ),
        (
            "Each loss is a mean over its tokens. What was the sum?",
            "Add up loss times tokens, and divide by all tokens.",
        ),
    ),
    "q2": Question(
        Number(
            "gigabytes",
            lambda: 16 * PARAMETERS / 1e9,
            "GB (a billion bytes)",
            "Before a single activation: full fine-tuning of 2 billion parameters in float32 fills a 40 GB GPU. LoRA keeps all "
            "but the first four bytes for a hundredth of the parameters.",
            tolerance=0.01,
            mistakes=lambda: {
                4 * PARAMETERS / 1e9: "those are the weights alone; gradients and AdamW's numbers come on top",
                8 * PARAMETERS / 1e9: "weights and gradients in float32, or all four in 16 bits; AdamW keeps two more numbers",
                12 * PARAMETERS / 1e9: "AdamW keeps two numbers for each parameter, and there are weights and gradients: "
                "four in all",
                4 * 4 * PARAMETERS: "those are bytes; asked are billions of them",
            },
        ),
        (
            "How many numbers are kept for each parameter at the optimizer's step? The weight is the first.",
            "Weight, gradient, and AdamW's two moments: four numbers of four bytes.",
        ),
    ),
    "q3": Question(
        Function(
            "plan_batch",
            plan_batch,
            [
                Case((16, 5, 2, 16)),
                Case((24, 5.5, 1.5, 16)),
                Case((80, 6, 0.5, 32), "A batch is never larger than the step."),
                Case((5, 6, 1, 8), "Where not even one example fits, the answer is None."),
                Case((10, 4, 2, 12)),
                Case((6.5, 6, 1, 8), "Where not even one example fits, the answer is None."),
                Case((17, 5, 2, 18)),
            ],
            "Memory decides how many examples there are at once, you decide how many a step learns from; accumulation makes up "
            "the difference exactly.",
            mistakes=(
                (
                    lambda m, f, p, e: plan_batch(m, 0, p, e),
                    "what is needed in any case (`fixed`) has to be subtracted from the memory first",
                ),
                (
                    _plan_any_size,
                    "batch times accumulation must be `effective` exactly: only a divisor of it will do",
                ),
                (
                    lambda m, f, p, e: (e, 1) if m - f >= p else None,
                    "not all examples of a step fit at once: the batch is limited by the memory that is left",
                ),
                (lambda m, f, p, e: plan_batch(m, f, p, e)[::-1], "the order: first the batch, then the accumulation"),
                (
                    lambda m, f, p, e: (1, e) if m - f >= p else None,
                    "that fits, but one by one is the slowest way: asked is the largest batch",
                ),
            ),
        ),
        (
            "(memory - fixed) // per_example examples fit. Which batches divide the effective one?",
            "The largest divisor of `effective` that is not above that number; accumulation is effective // batch. None "
            "if even "
            "1 is above it.",
        ),
    ),
    "q4": Question(
        Value(
            "settings",
            _half_problem,
            "Half the memory, the same step: what is learnt depends on the product of batch and accumulation, what is in "
            "memory on "
            "the batch alone.",
            untouched=BASELINE,
        ),
        (
            "Which of the three settings change what is learnt, and which only when it is computed?",
            "Fewer examples at once, more batches to a step, and their product stays 16; checkpointing saves more still.",
        ),
    ),
}
