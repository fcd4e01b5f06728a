"""What the exercises of lesson 08 check: advantages, groups that teach nothing, settings, and two runs that went wrong."""

from helpers.exercises.checks import Case, Diagnosis, Function, Number, Value
from helpers.exercises.exercise import Question
from helpers.exercises.runs import read_run

BROKEN = {
    "num_generations": 8,
    "per_device_train_batch_size": 12,
    "gradient_accumulation_steps": 1,
    "max_completion_length": 512,
    "temperature": 0.01,
    "learning_rate": 1e-6,
}


def advantages(rewards, group_size):
    return _advantages(rewards, group_size)


def _advantages(rewards, group_size, *, center=True, divide=True, less=1, least=1e-4):
    result = []
    for at in range(0, len(rewards), group_size):
        group = rewards[at : at + group_size]
        mean = sum(group) / len(group)
        spread = (sum((reward - mean) ** 2 for reward in group) / (len(group) - less)) ** 0.5
        result += [(reward - mean * center) / (spread + least if divide else 1) for reward in group]
    return result


def _whole_batch(rewards, group_size):
    return _advantages(rewards, len(rewards))


def same_reward(right, size):
    """How probable it is that ``size`` answers, each right with the probability ``right``, all get the same reward."""
    return right**size + (1 - right) ** size


def _settings_problem(settings) -> str | None:
    if not isinstance(settings, dict) or set(settings) != set(BROKEN):
        return f"settings is a dict with {', '.join(BROKEN)}"
    group, batch = settings["num_generations"], settings["per_device_train_batch_size"]
    answers = batch * settings["gradient_accumulation_steps"]
    if group < 2:
        return "of a single answer nothing is above its group's mean: num_generations must be 2 or more"
    if answers % group:
        return f"a step has {answers} answers, which is no whole number of groups of {group}: TRL refuses it"
    if answers // group < 4:
        return f"the batch counts answers: {answers} of them are {answers // group} questions a step; asked are 4 or more"
    if not settings["temperature"] > 0:
        return "transformers refuses to sample at a temperature of 0, and any other that is no positive number"
    if not settings["temperature"] > 0.3:
        return "so cold, all answers of a group are the same, and no group teaches anything"
    if settings["temperature"] > 1.5:
        return "so hot, the answers are mostly noise: sample what the model thinks, at a temperature of about 1"
    if settings["max_completion_length"] > 32:
        return "an answer of one word that doesn't end would be written to the end: 32 tokens are plenty"
    if settings["max_completion_length"] < 4:
        return "a number may take several tokens, and the end of the turn takes one: leave room for them"
    if not 1e-5 <= settings["learning_rate"] <= 5e-3:
        return "a small LoRA hardly moves below 1e-5, and is ruined above 5e-3"
    return None


def _last(run: str, column: str) -> float:
    return float(read_run(run).log[column].iloc[-1])


def _right_when_stripped() -> int:
    return sum(said.strip().lower() == label.lower() for said, label in read_run("shrike").facts["answers"])


QUESTIONS = {
    "q1": Question(
        Function(
            "advantages",
            advantages,
            [
                Case(([1.0, 0.0, 0.0, 0.0], 4)),
                Case(([1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0], 4)),
                Case(([0.5, 0.5, 0.5, 0.0, 2.0, 4.0], 3)),
                Case(([1.0, 1.0, 1.0, 1.0], 2), "Where all of a group are alike, every advantage is 0."),
                Case(([0.5, 0.5, 0.5001, 0.5], 4), "Where a group's rewards are nearly alike, the 1e-4 counts."),
            ],
            "An answer is compared with what the same model said to the same question: the group replaces the second model "
            "that older methods train to guess what was to be expected.",
            tolerance=1e-3,
            mistakes=(
                (_whole_batch, "that compares with the whole batch: an easy question's answers would all look good"),
                (
                    lambda rewards, size: _advantages(rewards, size, divide=False),
                    "the mean is taken off; now divide by the group's spread (and add 1e-4 to it)",
                ),
                (
                    lambda rewards, size: _advantages(rewards, size, center=False),
                    "divided, but the group's mean is still in it: a group of right answers would be raised for nothing",
                ),
                (
                    lambda rewards, size: _advantages(rewards, size, less=0),
                    "that spread divides by the number of answers; TRL's (torch.std) by one less",
                ),
                (
                    lambda rewards, size: _advantages(rewards, size, least=1e-9),
                    "the 1e-4 is missing: without it, rewards that are nearly alike get advantages like any others",
                ),
                (lambda rewards, size: [-a for a in _advantages(rewards, size)], "turned round: good answers are to be raised"),
            ),
        ),
        (
            "One group at a time: rewards[at : at + group_size].",
            "(reward - mean) / (spread + 1e-4), where spread is statistics.stdev(group).",
        ),
    ),
    "q2": Question(
        Number(
            "nothing_learnt",
            lambda: same_reward(0.1, 8),
            "of the groups",
            "At a tenth right, four groups in ten are answered eight times for nothing; at nine tenths it is the same. Most is "
            "learnt where the model is right about half of the time.",
            tolerance=0.01,
            mistakes=lambda: {
                0.1**8: "all right is one way to be alike; all wrong is another, and here the more frequent",
                1 - same_reward(0.1, 8): "that is the share that teaches something",
                0.9: "that is how often a single answer is wrong; all eight have to be",
                1 - 0.9**8: "that is how often at least one is right",
                0.1 + 0.9: "a group of eight is alike only if all eight are",
            },
        ),
        (
            "A group teaches nothing if all eight are right, or all eight are wrong.",
            "0.1 to the power of 8, and 0.9 to the power of 8: add them.",
        ),
    ),
    "q3": Question(
        Value(
            "settings",
            _settings_problem,
            "Only the batch that isn't made of whole groups stops with an error. The others run, and teach nothing or take for "
            "ever.",
            untouched=BROKEN,
        ),
        (
            "How many questions are in a step? How different can answers be at that temperature? What does a word take?",
            "For example a batch of 32 answers, temperature 1.0, 8 tokens, a learning rate of 1e-4.",
        ),
    ),
    "q4": Question(
        Diagnosis(
            "jackdaw",
            "reward that was hacked",
            {
                "nothing is wrong": "the reward rises, and that is all one sees there; look at the lengths, and read answers",
                "groups without a difference": "their share is low: the groups do differ, and the model learns from that",
                "learning rate too high": "it is no higher than that of the lesson's own run; the reward is what differs",
                "learning rate too low": "the reward rises by a lot: something is being learnt",
            },
            Number(
                "jackdaw_evidence",
                lambda: _last("jackdaw", "completions/clipped_ratio"),
                "of the answers",
                "",
                tolerance=0.01,
                mistakes=lambda: {
                    _last("jackdaw", "reward"): "that is the reward, which was hacked; it proves nothing against itself",
                    _last(
                        "jackdaw", "completions/mean_length"
                    ): "that is the length in tokens; asked is the share that was cut off",
                    float(
                        read_run("jackdaw").log["completions/clipped_ratio"].iloc[0]
                    ): "that is the first row, before it began",
                },
            ),
            "The model found that length pays, always, and a right answer only sometimes. An answer that doesn't end is cut "
            "off: completions/clipped_ratio says how many are.",
        ),
        (
            "Read run.facts['answers_after'], then look in the log for a column that tells it without reading.",
            "Cut off answers: the last row of completions/clipped_ratio.",
        ),
    ),
    "q5": Question(
        Diagnosis(
            "shrike",
            "groups without a difference",
            {
                "nothing is wrong": "a loss of 0 at a reward of 0 is no success",
                "learning rate too low": "with a small learning rate there is still a gradient; here it is 0",
                "completion cut away": "the answers are there, and complete: read run.facts['answers']",
                "reward that was hacked": "the reward doesn't rise; it is 0 in every row",
            },
            Number(
                "shrike_evidence",
                _right_when_stripped,
                "answers",
                "",
                mistakes=lambda: {
                    0: "compared as they stand, none is; what do they all begin with?",
                    len(read_run("shrike").facts["answers"]): "that is how many there are; asked are those that are right",
                },
            ),
            "Answers begin with a space, and the metric strips nothing. All rewards of a group are alike, 0, so nothing "
            "is learnt, and no message says so.",
        ),
        (
            "The reward is 0 throughout and frac_reward_zero_std is 1: every group is alike. Are the answers really all wrong?",
            "run.facts['answers'] holds answer and label: compare them after .strip(), without regard to case.",
        ),
    ),
}
