"""Whether the language model has learnt to compare: what comes last in its stage, and stays away under worse recipes."""

import numpy as np
import torch

from helpers.tiny.batches import BatchMaker
from helpers.tiny.curriculum import invented_chart
from helpers.tiny.eyes import FactTable, what_tokens_should_say
from helpers.tiny.rendering import Drawn

_VERDICTS = ("more", "less", "Yes", "No")


@torch.no_grad()
def compared_right(model, facts: FactTable, tokenizer, read_answers, charts: int = 400, seed: int = 10_000) -> float:
    """Share of comparisons decided right with perfect eyes, on ``charts`` charts that no training saw; chance is a half.

    ``read_answers``: :func:`helpers.tiny.pretrain.read_answers`.
    """
    rng = np.random.default_rng(seed)
    invented, words = zip(*(invented_chart(rng) for _ in range(charts)), strict=True)
    unseen = Drawn(np.zeros((charts, 3, 128, 128), np.uint8), list(invented), list(words))  # perfect eyes need no pixels
    maker = BatchMaker(unseen, tokenizer, seed)
    verdicts = torch.tensor([maker.word(verdict) for verdict in _VERDICTS])
    right = []
    for step in range(charts // 20):
        batch = maker.charts(step, 20)
        perfect, _ = what_tokens_should_say(model.model.text_model.embed_tokens.weight, facts, batch)
        logits, wanted, _ = read_answers(model, batch, perfect)
        asked = torch.isin(wanted, verdicts)
        right.append((logits.argmax(-1) == wanted)[asked])
    return torch.cat(right).float().mean().item()
