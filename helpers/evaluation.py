"""Judge a model: have it answer (:mod:`helpers.generation`), score the answers (:mod:`helpers.metrics`), on your own
pictures too (:mod:`helpers.own_test_set`).
"""

from helpers.generation import WithOtherCharts, generate_answers
from helpers.metrics import PairedTest, bootstrap_interval, paired_test, relaxed_accuracy, relaxed_match
from helpers.own_test_set import Report, evaluate_folder

__all__ = [
    "PairedTest", "Report", "WithOtherCharts", "bootstrap_interval", "evaluate_folder", "generate_answers", "paired_test",
    "relaxed_accuracy", "relaxed_match",
]  # fmt: skip
