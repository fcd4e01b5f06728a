"""Answers that learners may give to the exercises of lesson 05, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

import math

import torch

from tests.exercises.answers import diagnosis, returns

WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        (
            returns("dpo_loss(pc, pr, rc, rr, beta): return math.log(1 + math.exp(-beta * (pc - pr)))", math=math),
            "the reference is missing",
        ),
        (
            returns("dpo_loss(pc, pr, rc, rr, beta): return math.log(1 + math.exp(beta * ((pc - rc) - (pr - rr))))", math=math),
            "turned round",
        ),
        (
            returns("dpo_loss(pc, pr, rc, rr, beta): return math.log(1 + math.exp(-((pc - rc) - (pr - rr))))", math=math),
            "beta is missing",
        ),
        (
            returns("dpo_loss(pc, pr, rc, rr, beta): return 1 / (1 + math.exp(-beta * ((pc - rc) - (pr - rr))))", math=math),
            "that is the sigmoid",
        ),
        (returns("dpo_loss(pc, pr, rc, rr, beta): return -beta * ((pc - rc) - (pr - rr))"), "minus the margin"),
        (
            returns(
                "dpo_loss(pc, pr, rc, rr, beta): return beta * math.log(1 + math.exp(-((pc - rc) - (pr - rr))))", math=math
            ),
            "inside the sigmoid, to",
        ),
    ],
    "q2": [
        ({"loss": 0}, "-log(sigmoid(0)) is not"),
        ({"loss": 0.5}, "that is sigmoid(0)"),
        ({"loss": 0.2079}, "the difference is 0"),
        ({"loss": 0.301}, "decimal logarithm"),
        ({"loss": -0.6931}, "it is positive"),
    ],
    "q3": [
        (
            returns(
                "reward_metrics(pairs, beta):\n  m = [beta * ((a - c) - (b - d)) for a, b, c, d in pairs]\n"
                "  return sum(x >= 0 for x in m) / len(m), sum(m) / len(m)"
            ),
            "a tie is no success",
        ),
        (
            returns(
                "reward_metrics(pairs, beta):\n  m = [(a - c) - (b - d) for a, b, c, d in pairs]\n  return sum(x > 0 for x in m) / len(m), sum(m) / len(m)"
            ),
            "beta times log-probabilities",
        ),
        (
            returns(
                "reward_metrics(pairs, beta):\n  m = [beta * (a - b) for a, b, c, d in pairs]\n  return sum(x > 0 for x in m) / len(m), sum(m) / len(m)"
            ),
            "the reference is missing",
        ),
        (
            returns(
                "reward_metrics(pairs, beta):\n  m = [beta * ((a - c) - (b - d)) for a, b, c, d in pairs]\n  return sum(x > 0 for x in m) / len(m), sum(m)"
            ),
            "not their sum",
        ),
        (returns("reward_metrics(pairs, beta): return 1.0"), "it is"),
    ],
    "q4": [
        (diagnosis("petrel", "nothing is wrong", 1), "now read what the model says"),
        (diagnosis("petrel", "chosen equal to rejected", 1), "then margin and accuracy would be 0"),
        (diagnosis("petrel", "learning rate too low", 1), "not too little"),
        (diagnosis("petrel", "learning rate too high", 0.001), "too large"),
        (diagnosis("petrel", "learning rate too high", 3.122), "the sign matters"),
        (diagnosis("petrel", "learning rate too high", -65.06), "which answers the batch held"),
        (diagnosis("petrel", "learning rate too high", 0.714), "the other run"),
    ],
    "q5": [
        (diagnosis("dunlin", "nothing is wrong", 80), "this one never left it"),
        (diagnosis("dunlin", "completion cut away", 80), "there would be no tokens to add up"),
        (diagnosis("dunlin", "learning rate too low", 80), "not 0 in every row"),
        (diagnosis("dunlin", "chosen equal to rejected", 0), "the second and the third entry"),
        (diagnosis("dunlin", "chosen equal to rejected", 10), "how many rows the log has"),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q1": [
        returns(
            "dpo_loss(pc, pr, rc, rr, beta): return -torch.nn.functional.logsigmoid(torch.tensor(beta * ((pc - rc) - (pr - rr))))",
            torch=torch,
        )
    ],
    "q2": [{"loss": 0.693}, {"loss": 0.6931}, {"loss": 0.69}],
    "q4": [diagnosis("petrel", "learning rate too high", -3.12)],
}
