"""What the exercises of lesson 05 check: DPO's loss, where it starts, its metrics, and two runs that went wrong."""

import math

from helpers.exercises.checks import Case, Diagnosis, Function, Number
from helpers.exercises.exercise import Question
from helpers.exercises.runs import read_run


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    delta = (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)
    return _softplus(-beta * delta)


def _softplus(x: float) -> float:
    """-log(sigmoid(-x)), for large x too."""
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def reward_metrics(pairs, beta):
    return _metrics_by(pairs, lambda *pair: _margin(*pair, beta))


def _margin(pc, pr, rc, rr, beta):
    return beta * ((pc - rc) - (pr - rr))


def _metrics_by(pairs, margin_of, right=lambda margin: margin > 0):
    margins = [margin_of(*pair) for pair in pairs]
    return sum(map(right, margins)) / len(margins), sum(margins) / len(margins)


def _in_row(name: str, column: str, row: int = -1) -> float:
    return float(read_run(name).log[column].iloc[row])


def _equal_pairs() -> int:
    return sum(chosen == rejected for _, chosen, rejected in read_run("dunlin").facts["pairs"])


_PAIRS = [(-3.0, -9.0, -4.0, -8.0), (-12.5, -7.0, -12.0, -7.5), (-5.0, -6.0, -5.0, -6.0), (-2.0, -2.5, -1.0, -4.0)]

QUESTIONS = {
    "q1": Question(
        Function(
            "dpo_loss",
            dpo_loss,
            [
                Case((-3.0, -9.0, -4.0, -8.0, 0.1)),
                Case((-12.5, -7.0, -12.0, -7.5, 0.5)),
                Case((-5.0, -5.0, -5.0, -5.0, 0.1)),
                Case((-40.0, -22.0, -41.5, -30.0, 0.3)),
                Case((-2.0, -60.0, -2.5, -20.0, 0.1)),
            ],
            "Only differences to the reference count: a policy that makes both answers less likely can still lower this loss. "
            "Keep that in mind when you read its curve.",
            mistakes=(
                (
                    lambda pc, pr, rc, rr, beta: _softplus(-beta * (pc - pr)),
                    "the reference is missing: what counts is how far the policy has moved away from it",
                ),
                (
                    lambda pc, pr, rc, rr, beta: dpo_loss(pr, pc, rr, rc, beta),
                    "the sign is turned round: this loss falls when the rejected answer becomes likelier",
                ),
                (
                    lambda pc, pr, rc, rr, beta: _softplus(-((pc - rc) - (pr - rr))),
                    "beta is missing: it scales the difference, inside the sigmoid",
                ),
                (
                    lambda pc, pr, rc, rr, beta: beta * _softplus(-((pc - rc) - (pr - rr))),
                    "beta belongs inside the sigmoid, to the difference",
                ),
                (
                    lambda pc, pr, rc, rr, beta: math.exp(-dpo_loss(pc, pr, rc, rr, beta)),
                    "that is the sigmoid, the probability that chosen is preferred; the loss is minus its logarithm",
                ),
                (
                    lambda pc, pr, rc, rr, beta: -dpo_loss(pc, pr, rc, rr, beta),
                    "that is the logarithm of the sigmoid; the loss is minus that",
                ),
                (
                    lambda pc, pr, rc, rr, beta: -beta * ((pc - rc) - (pr - rr)),
                    "that is minus the margin; the loss is -log(sigmoid(margin))",
                ),
            ),
        ),
        (
            "How much likelier has the policy made the chosen answer than the reference had it? And the rejected one?",
            "delta = (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected); the loss is "
            "-log(sigmoid(beta * delta)), which is log(1 + exp(-beta * delta)).",
        ),
    ),
    "q2": Question(
        Number(
            "loss",
            lambda: math.log(2),
            "nats",
            "At the start every DPO loss is ln 2, whatever beta is. If it stays there, nothing is learnt.",
            tolerance=0.01,
            mistakes=lambda: {
                0: "the difference is 0, but -log(sigmoid(0)) is not",
                1: "that would be a logarithm to the base 2: losses are in nats, the natural one",
                0.5: "that is sigmoid(0); the loss is minus its logarithm",
                0.3 * math.log(2): "beta scales the difference inside the sigmoid, and the difference is 0",
                -math.log(2): "the loss is minus the logarithm of a number below one: it is positive",
                math.log10(2): "that is the decimal logarithm; losses are in nats, the natural one",
            },
        ),
        (
            "At step 0 LoRA's B is zero: how do policy and reference differ?",
            "The difference is 0, sigmoid(0) is a half, and minus its natural logarithm is ...",
        ),
    ),
    "q3": Question(
        Function(
            "reward_metrics",
            reward_metrics,
            [
                Case((_PAIRS, 0.1)),
                Case((_PAIRS[:2], 0.5)),
                Case(([_PAIRS[2]], 0.1), "At the start, policy and reference agree: accuracy is 0."),
                Case((_PAIRS[1:], 0.2)),
            ],
            "Both measure how a pair is ranked, and neither what the model says. A program that reads the answers must "
            "do that.",
            mistakes=(
                (
                    lambda pairs, beta: _metrics_by(pairs, lambda *pair: _margin(*pair, beta), lambda margin: margin >= 0),
                    "a tie is no success: before the first step every pair is one, and accuracy is 0, not 1",
                ),
                (
                    lambda pairs, beta: _metrics_by(pairs, lambda pc, pr, rc, rr: (pc - rc) - (pr - rr)),
                    "the accuracy is right, but the margin is a difference of rewards: beta times log-probabilities",
                ),
                (
                    lambda pairs, beta: _metrics_by(pairs, lambda pc, pr, rc, rr: beta * (pc - pr)),
                    "the reference is missing: a reward is beta times (policy minus reference)",
                ),
                (
                    lambda pairs, beta: _metrics_by(pairs, lambda pc, pr, rc, rr: beta * ((pr - rr) - (pc - rc))),
                    "chosen and rejected are exchanged",
                ),
                (lambda pairs, beta: reward_metrics(pairs, beta)[::-1], "the order: first the accuracy, then the margin"),
                (
                    lambda pairs, beta: (reward_metrics(pairs, beta)[0], reward_metrics(pairs, beta)[1] * len(pairs)),
                    "the margin is a mean over the pairs, not their sum",
                ),
            ),
        ),
        (
            "The reward of an answer is beta * (policy - reference). Two rewards a pair.",
            "margin = reward of chosen - reward of rejected; accuracy is the share of margins strictly above 0, and then "
            "their mean.",
        ),
    ),
    "q4": Question(
        Diagnosis(
            "petrel",
            "learning rate too high",
            {
                "nothing is wrong": "most pairs are ranked right, with a margin: now read what the model says",
                "chosen equal to rejected": "then margin and accuracy would be 0, and the loss would stay at 0.6931",
                "completion cut away": "then the loss would stay at 0.6931 and the log-probabilities at 0",
                "contaminated test set": "a leak makes figures too good; here the accuracy on charts has collapsed",
                "learning rate too low": "it has moved much too far from the reference, not too little",
            },
            Number(
                "petrel_evidence",
                lambda: _in_row("petrel", "rewards/chosen"),
                "beta times nats",
                "",
                tolerance=0.02,
                mistakes=lambda: {
                    -_in_row("petrel", "rewards/chosen"): "the sign matters: below 0, answers are less likely than before",
                    _in_row("petrel", "rewards/chosen", 0): "that is the first row, when it had only begun",
                    _in_row("petrel", "rewards/rejected"): "those are the rejected answers: that they become unlikely is the "
                    "purpose",
                    _in_row("curlew", "rewards/chosen"): "that is the other run, curlew",
                    _in_row("petrel", "rewards/margins"): "that is the margin, which only compares the two",
                    _in_row("petrel", "logps/chosen"): "that depends on which answers the batch held; the reward compares the "
                    "same answers under both models",
                },
            ),
            "The margin only compares. If the *chosen* answers too are less likely than they were, the model says neither: "
            "look at rewards/chosen and at answers, never at the margin alone.",
        ),
        (
            "Compare the two runs' logs, column by column, and read run.facts['answers_after'].",
            "The chosen answers should not become less likely than they were: rewards/chosen in the last row, of both runs.",
        ),
    ),
    "q5": Question(
        Diagnosis(
            "dunlin",
            "chosen equal to rejected",
            {
                "nothing is wrong": "0.6931 is ln 2, where every DPO starts; this one never left it",
                "completion cut away": "then the log-probabilities would be 0: there would be no tokens to add up. They "
                "are not",
                "learning rate too low": "with a small learning rate margin and accuracy would be small, and not 0 in "
                "every row",
                "learning rate too high": "then the margin would be large; it is 0",
            },
            Number(
                "dunlin_evidence",
                _equal_pairs,
                "pairs",
                "",
                mistakes=lambda: {
                    0: "compare the second and the third entry of each pair",
                    1: "that is the share; asked is how many they are",
                    len(read_run("dunlin").log): "that is how many rows the log has; the pairs are in run.facts",
                },
            ),
            "Such pairs come from a wrong column name, or a normalisation that removed the difference. Refuse them on loading.",
        ),
        (
            "logps/chosen and logps/rejected move, and move together, to the last digit. How can that be?",
            "run.facts['pairs'] holds question, chosen, rejected: count the pairs in which the last two are the same.",
        ),
    ),
}
