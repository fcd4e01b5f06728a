"""Where a model looks: cover one part of the picture after the other, and see which covering makes its answer unlikely."""

from collections.abc import Iterator, Sequence
from itertools import takewhile

import numpy as np
import torch
from PIL import Image

from helpers.models import SHORT_ANSWER, chat


@torch.inference_mode()
def occlusion_map(
    model, processor, image: Image.Image, question: str, answer: str, *, cells: int = 8, batch_size: int = 32
) -> np.ndarray:
    """How much less likely ``answer`` is with each of ``cells`` x ``cells`` squares of the picture covered, in nats.

    (cells, cells), rows from the top. Positive: the answer rests on that square; about 0: it doesn't matter. Covered with
    the picture's median colour, which is a chart's page. The model's mode is as before afterwards. ValueError for an empty
    ``answer``. (Occlusion sensitivity: Zeiler and Fergus 2014, arXiv:1311.2901.)
    """
    if not answer:
        raise ValueError("there is no answer whose likelihood could fall: give at least one word")
    pictures = [image, *_covered(image, cells)]
    scores = []
    was_training = model.training
    model.eval()  # an adapter's dropout would be other each time
    try:
        for start in range(0, len(pictures), batch_size):
            scores += _log_likelihoods(model, processor, pictures[start : start + batch_size], question, answer)
    finally:
        model.train(was_training)
    return scores[0] - np.array(scores[1:]).reshape(cells, cells)


def _covered(image: Image.Image, cells: int) -> Iterator[Image.Image]:
    page = tuple(int(value) for value in np.median(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0))
    across, down = (np.linspace(0, length, cells + 1).round().astype(int) for length in image.size)
    for row in range(cells):
        for column in range(cells):
            picture = image.convert("RGB")
            picture.paste(page, (across[column], down[row], across[column + 1], down[row + 1]))
            yield picture


def _log_likelihoods(model, processor, pictures: list, question: str, answer: str) -> list[float]:
    """Of ``answer`` after the same question about each picture: the log-probabilities of its tokens, summed."""
    text, length = _answered(processor, question, answer)
    inputs = processor(
        text=[text] * len(pictures), images=[[picture] for picture in pictures], padding=True, return_tensors="pt",
        add_special_tokens=False,  # the template has written them
    )  # fmt: skip
    inputs = inputs.to(model.device, dtype=model.dtype)
    logits = model(**inputs).logits[:, -length - 1 : -1].float()
    targets = inputs["input_ids"][:, -length:]
    return logits.log_softmax(-1).gather(-1, targets[..., None]).sum((1, 2)).tolist()


def _answered(processor, question: str, answer: str) -> tuple[str, int]:
    """The conversation up to the answer's last letter, as the chat template writes it, and how many tokens are the answer's.

    Some templates put a blank before it, some a line break; what ends the turn is left out.
    """
    messages = chat(question, SHORT_ANSWER)
    turn = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
    prompt = processor.apply_chat_template(messages, add_generation_prompt=True)
    whole = processor.apply_chat_template([*messages, turn])
    prompt = prompt[: _same(prompt, whole)]  # a template may open the turn with more than it keeps, as <think>
    if (at := whole.find(answer, len(prompt))) < 0:
        raise ValueError(f"the chat template doesn't write the answer as it is: {answer!r}; take away blanks around it")
    text = whole[: at + len(answer)]
    before, after = (processor.tokenizer(part, add_special_tokens=False)["input_ids"] for part in (prompt, text))
    return text, len(after) - _same(before, after)


def _same(one: Sequence, other: Sequence) -> int:
    """How many letters or tokens the two begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
