"""The two instructions of the course. Each metric is asked with its own, before and after training alike."""

SHORT_ANSWER = "Answer with a single word or number."
FULL_SENTENCE = "Answer with one full sentence."


def chat(question: str, system: str | None) -> list[dict]:
    """A chart question as chat messages: the processor puts the picture where the image placeholder stands.

    ``system``: the instruction; with None there is none of ours, and the model is asked as it was released.
    """
    instruction = [{"role": "system", "content": [{"type": "text", "text": system}]}] if system is not None else []
    return [*instruction, {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
