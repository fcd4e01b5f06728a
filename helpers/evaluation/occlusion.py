"""Where a model looks: cover one part of the picture after the other, and see which covering makes its answer unlikely."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image

from helpers.models import SHORT_ANSWER, chat


@torch.inference_mode()
def occlusion_map(
    model, processor, image: Image.Image, question: str, answer: str, *, system: str = SHORT_ANSWER, cells=8, batch_size=32
) -> np.ndarray:
    """How much less likely ``answer`` is with each of ``cells`` x ``cells`` squares of the picture covered, in nats.

    (cells, cells), rows from the top. Positive: the answer rests on that square; about 0: it doesn't matter. Covered with
    the picture's median colour, which is a chart's page. (Occlusion sensitivity: Zeiler and Fergus 2014, arXiv:1311.2901.)
    """
    if not answer:
        raise ValueError("there is no answer whose likelihood could fall: give at least one word")
    pictures = [image, *_covered(image, cells)]
    scores = []
    for start in range(0, len(pictures), batch_size):
        scores += _log_likelihoods(model, processor, pictures[start : start + batch_size], question, answer, system)
    return scores[0] - np.array(scores[1:]).reshape(cells, cells)


def _covered(image: Image.Image, cells: int) -> Iterator[Image.Image]:
    page = tuple(int(value) for value in np.median(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0))
    across, down = (np.linspace(0, length, cells + 1).round().astype(int) for length in image.size)
    for row in range(cells):
        for column in range(cells):
            picture = image.convert("RGB")
            picture.paste(page, (across[column], down[row], across[column + 1], down[row + 1]))
            yield picture


def _log_likelihoods(model, processor, pictures: list, question: str, answer: str, system: str) -> list[float]:
    """Of ``answer`` after the same question about each picture: the log-probabilities of its tokens, summed."""
    prompt = processor.apply_chat_template(chat(question, system), add_generation_prompt=True)
    texts = [f"{prompt} {answer}"] * len(pictures)
    inputs = processor(text=texts, images=[[picture] for picture in pictures], padding=True, return_tensors="pt")
    inputs = inputs.to(model.device, dtype=model.dtype)
    length = len(processor.tokenizer(f" {answer}", add_special_tokens=False)["input_ids"])
    logits = model(**inputs).logits[:, -length - 1 : -1].float()
    targets = inputs["input_ids"][:, -length:]
    return logits.log_softmax(-1).gather(-1, targets[..., None]).sum((1, 2)).tolist()
