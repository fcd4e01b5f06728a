"""What may be wrong with a run: the causes that the diagnoses choose from."""

CAUSES = (
    "nothing is wrong",
    "image tokens in the loss",
    "completion cut away",
    "adapter in the vision tower",
    "learning rate too high",
    "learning rate too low",
    "chosen equal to rejected",
    "contaminated test set",
    "one process instead of two",
    "another prompt than in training",
    "the base model is served",
)
