"""What the exercises of lesson 04 check: label masks, a configuration that runs, and two runs that looked well."""

from helpers.exercises.checks import Case, Diagnosis, Function, Number, Value
from helpers.exercises.exercise import Question
from helpers.exercises.runs import read_run

BROKEN = {
    "max_length": -1,
    "warmup_ratio": 0.1,
    "evaluation_strategy": "steps",
    "eval_steps": 50,
    "bf16": True,
    "use_cpu": True,
}


def mask_labels(input_ids, prompt_length, pad_id):
    return [-100 if at < prompt_length or token == pad_id else token for at, token in enumerate(input_ids)]


def _trained(kind: str) -> int:
    tokens = [token for token, trained in read_run("magpie").facts["first_example"] if trained]
    images = sum(token == "<image>" for token in tokens)
    return images if kind == "image" else len(tokens)


def _image_share() -> float:
    return _trained("image") / _trained("all")


def _lengths() -> list[int]:
    return read_run("plover").facts["tokens_of_examples"]


def _arguments_problem(arguments) -> str | None:
    import tempfile

    from trl import SFTConfig  # here: only this exercise needs it, and it takes seconds to import

    if not isinstance(arguments, dict):
        return "arguments is a dict of SFTConfig's arguments"
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(**{"output_dir": folder} | arguments)
    if config.max_length == -1:
        return "max_length=-1 is no 'unlimited': with prompt and completion it silently cuts the last token of each example"
    if config.max_length is not None:
        return f"examples are cut at {config.max_length} tokens (TRL's default is 1024): a picture or the answer may be lost"
    if config.bf16:
        return "it computes in bfloat16, which is TRL's default: leaving the argument out doesn't help, bf16=False does"
    if config.fp16:
        return "fp16 computes in 16 bits as well; float32 is meant, and that is neither fp16 nor bf16"
    if not config.use_cpu:
        return "it is meant for a CPU: use_cpu has to stay"
    if config.eval_strategy == "no":
        return "nothing is evaluated any more: the argument was renamed, not abolished. It is eval_strategy now"
    if config.eval_strategy != "steps":
        return f"the validation loss is wanted every 50 steps; {config.eval_strategy.value!r} looks at no eval_steps"
    if config.eval_steps != 50:
        return "the validation loss is wanted every 50 steps"
    if config.warmup_steps != 0.1:
        return "the warm-up is gone or has another length: a tenth of all steps is warmup_steps=0.1 now"
    return None


QUESTIONS = {
    "q1": Question(
        Function(
            "mask_labels",
            mask_labels,
            [
                Case(([5, 6, 7, 8, 9], 3, 0)),
                Case(([5, 6, 7, 8, 9, 0, 0], 3, 0)),
                Case(([4, 0, 7, 8], 2, 0)),
                Case(([1, 2], 2, 9)),
                Case(([3, 3, 3, 4, 3], 3, 9), "The answer may hold tokens that the prompt holds too: mask by position."),
            ],
            "This list is all that a loss knows of your data. Look at it before every training.",
            mistakes=(
                (
                    lambda ids, n, pad: [-100 if at < n else token for at, token in enumerate(ids)],
                    "the padding is trained on: the model learns to go on writing nothing",
                ),
                (
                    lambda ids, n, pad: [-100 if token == pad else token for token in ids],
                    "the prompt is trained on: the model learns to ask your questions, and to predict the picture's "
                    "placeholders",
                ),
                (
                    lambda ids, n, pad: [token if at < n else -100 for at, token in enumerate(ids)],
                    "the other way round: -100 marks what is not trained on",
                ),
                (
                    lambda ids, n, pad: [0 if at < n or token == pad else token for at, token in enumerate(ids)],
                    "0 is a token like any other: PyTorch's cross entropy leaves out -100",
                ),
                (
                    lambda ids, n, pad: [token for at, token in enumerate(ids) if at >= n and token != pad],
                    "labels are as long as the input: masked positions are -100, not left out",
                ),
                (
                    lambda ids, n, pad: [-100 if at <= n or token == pad else token for at, token in enumerate(ids)],
                    "the first token of the answer is masked too: prompt_length is its position, counted from 0",
                ),
            ),
        ),
        (
            "As many labels as tokens. Which positions carry no loss?",
            "-100 where the position is below prompt_length or the token is pad_id; the token itself elsewhere.",
        ),
    ),
    "q2": Question(
        Diagnosis(
            "magpie",
            "image tokens in the loss",
            {
                "nothing is wrong": "the loss falls, as the healthy run's does: but compare what the two can do afterwards",
                "completion cut away": "then the loss would be 0.0 from the first step on, and the gradient too",
                "learning rate too high": "the loss falls smoothly, and the gradient's norm shrinks: no sign of steps "
                "too large",
                "learning rate too low": "the loss falls a long way, so there are steps enough. The question is the loss "
                "of what",
                "adapter in the vision tower": "nothing is said of where the adapter lies; look at what the loss is "
                "computed on",
            },
            Number(
                "magpie_evidence",
                _image_share,
                "share of the trained tokens, 0 to 1",
                "",
                tolerance=0.01,
                mistakes=lambda: {
                    _trained("image"): "that is how many they are; asked is their share of all trained tokens",
                    _trained("all"): "that is how many tokens are trained on; asked is the picture's share of them",
                    1 - _image_share(): "that is the share of the others",
                },
            ),
            "With `messages` the loss is mostly that of predicting <image> after <image>: it falls, and means little.",
            asks="the share, 0 to 1, of the trained tokens that stand for the picture.",
        ),
        (
            "The loss falls, and the answers get worse. What is it the loss of? Look at run.facts['first_example'].",
            "Each entry is a token and whether it is trained on. Divide the trained '<image>' by all that are trained.",
        ),
    ),
    "q3": Question(
        Diagnosis(
            "plover",
            "completion cut away",
            {
                "nothing is wrong": "a loss of exactly 0.0 at the first step, before anything was learnt, is not a good fit",
                "learning rate too low": "a small learning rate makes the loss fall slowly from where it was; it doesn't "
                "make it 0.0",
                "image tokens in the loss": "there is no token left in the loss at all: it is 0.0",
                "chosen equal to rejected": "that is a matter of DPO, and its loss would be 0.6931; this is SFT",
                "learning rate too high": "a gradient of exactly 0 changes nothing, at any learning rate",
            },
            Number(
                "plover_evidence",
                lambda: max(_lengths()),
                "tokens",
                "",
                mistakes=lambda: {
                    read_run("plover").facts["max_length"]: "that is what it was cut at; the examples are longer",
                    min(_lengths()): "that keeps the shortest example whole, and cuts the others",
                    sorted(_lengths())[len(_lengths()) // 2]: "that keeps half of the examples whole",
                    1024: "that would do, but asked is the smallest that does",
                },
            ),
            "Loss 0.0, gradient 0, exit code 0: a training that looks perfect and never happened. max_length=None, always.",
            asks="the smallest max_length that would leave every example of run.facts['tokens_of_examples'] whole.",
        ),
        (
            "What does a loss of 0.0 mean when the gradient is 0 too, from the first step on?",
            "Compare run.facts['max_length'] with run.facts['tokens_of_examples']: which limit would keep every example whole?",
        ),
    ),
    "q4": Question(
        Value(
            "arguments",
            _arguments_problem,
            "Two of these fail loudly, both since an update of the library. The other two, max_length=-1 and bf16=True on a "
            "CPU, would never have told you.",
            untouched=BROKEN,
        ),
        (
            "Build SFTConfig(**arguments) and read the error: one argument after the other.",
            "warmup_steps takes a share below one, evaluation_strategy became eval_strategy, a CPU wants bf16=False "
            "(leaving it "
            "out means True), and unlimited is max_length=None.",
        ),
    ),
}
