"""Answers that learners may give to the exercises of lesson 08, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

import statistics

import torch

from tests.exercises.answers import diagnosis, returns

_GOOD = {
    "num_generations": 4, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 4, "max_completion_length": 16,
    "temperature": 1.0, "learning_rate": 6e-4,
}  # fmt: skip


def _advantages(formula: str) -> dict:
    """A function that goes group by group; ``formula``: of ``r``, one reward, in its ``group``."""
    code = f"""advantages(rewards, n):
  groups = [rewards[at : at + n] for at in range(0, len(rewards), n)]
  return [{formula} for group in groups for r in group]"""
    return returns(code, statistics=statistics)


WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        (_advantages("(r - statistics.mean(rewards)) / (statistics.stdev(rewards) + 1e-4)"), "with the whole batch"),
        (_advantages("r - statistics.mean(group)"), "now divide by the group's spread"),
        (_advantages("(r - statistics.mean(group)) / (statistics.pstdev(group) + 1e-4)"), "by one less"),
        (_advantages("r / (statistics.stdev(group) + 1e-4)"), "the group's mean is still in it"),
        (_advantages("(r - statistics.mean(group)) / (statistics.stdev(group) + 1e-8)"), "the 1e-4 is missing"),
        (_advantages("(statistics.mean(group) - r) / (statistics.stdev(group) + 1e-4)"), "turned round"),
    ],
    "q2": [
        ({"nothing_learnt": 1 - 0.9**8 - 0.1**8}, "the share that teaches something"),
        ({"nothing_learnt": 0.9}, "all eight have to be"),
        ({"nothing_learnt": 0.1**8}, "all wrong is another"),
    ],
    "q3": [
        (
            {"settings": _GOOD | {"per_device_train_batch_size": 6, "gradient_accumulation_steps": 1}},
            "no whole number of groups",
        ),
        ({"settings": _GOOD | {"gradient_accumulation_steps": 1}}, "the batch counts answers"),
        ({"settings": _GOOD | {"temperature": 0.0}}, "refuses to sample at a temperature of 0"),
        ({"settings": _GOOD | {"temperature": 0.01}}, "all answers of a group are the same"),
        ({"settings": _GOOD | {"max_completion_length": 512}}, "written to the end"),
        ({"settings": _GOOD | {"learning_rate": 1e-6}}, "hardly moves"),
        ({"settings": _GOOD | {"num_generations": 1}}, "of a single answer"),
    ],
    "q4": [
        (diagnosis("jackdaw", "nothing is wrong", 1), "look at the lengths"),
        (diagnosis("jackdaw", "learning rate too high", 1), "the reward is what differs"),
        (diagnosis("jackdaw", "groups without a difference", 1), "the groups do differ"),
        (diagnosis("jackdaw", "reward that was hacked", 16), "too large"),
    ],
    "q5": [
        (diagnosis("shrike", "nothing is wrong", 1), "is no success"),
        (diagnosis("shrike", "learning rate too low", 1), "here it is 0"),
        (diagnosis("shrike", "reward that was hacked", 1), "doesn't rise"),
        (diagnosis("shrike", "groups without a difference", 0), "what do they all begin with"),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q1": [
        returns(
            "advantages(rewards, n):\n  g = torch.tensor(rewards).view(-1, n)\n  return ((g - g.mean(1, keepdim=True)) / (g.std(1, keepdim=True) + 1e-4)).flatten().tolist()",
            torch=torch,
        )
    ],
    "q2": [{"nothing_learnt": 0.43}],
    "q3": [{"settings": _GOOD}],
}
