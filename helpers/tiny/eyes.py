"""What an image token should say, and the dense reading loss that teaches the vision tower to say it.

The image token under a label should carry the word that is written there, the word it belongs with (the value of a
name, the name of a value), where its mark stands and how it ranks: the sum of their embeddings. The words' embeddings
are the language model's own, so that image tokens look like words to it; places and ranks have a table of their own,
which is thrown away after pretraining: what is saved is a plain SmolVLM.

The same sum, written straight into the language model's input, is a pair of *perfect eyes*: with them the language
model learns to look values up before the real eyes can read (:mod:`helpers.tiny.pretrain`).
"""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.tiny.architecture import IMAGE_TOKENS
from helpers.tiny.batches import Batch

_KIND_SHARE = 0.5  # how loudly every image token also says what kind of chart this is


class FactTable(nn.Module):
    """Embeddings for the five facts of a mark (see ``Marks.facts``)."""

    def __init__(self, width: int):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(8, width) for _ in range(5))
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, facts: torch.Tensor) -> torch.Tensor:
        """(labels, 5) -> (labels, width)"""
        return sum(table(facts[:, i]) for i, table in enumerate(self.tables))


def what_tokens_should_say(words: torch.Tensor, facts: FactTable, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The image tokens of perfect eyes (batch, 64, width), and the sum at each label (labels, width).

    ``words``: the language model's embedding matrix.
    """
    marks = batch.marks
    said = words[marks.own] + words[marks.partner] + facts(marks.facts)
    kind = _KIND_SHARE * words[batch.kinds]
    tokens = kind[:, None, :].expand(-1, IMAGE_TOKENS, -1).reshape(-1, words.shape[1])
    tokens = tokens.index_add(0, marks.sample * IMAGE_TOKENS + marks.cell, said)
    return tokens.view(len(batch.kinds), IMAGE_TOKENS, -1), said + kind[marks.sample]


def reading_loss(features: torch.Tensor, words: torch.Tensor, facts: FactTable, batch: Batch) -> tuple[torch.Tensor, float]:
    """How far the real eyes are from perfect ones, and the share of written words that they read.

    ``features``: the connector's output (batch, 64, width). Four parts: each label's token must name its own and its
    partner's word (cross entropy against the tied embeddings), name its mark's facts, and come close to the whole sum; all
    tokens together must name the kind of the chart.
    """
    words = words.detach()
    marks = batch.marks
    with torch.no_grad():
        perfect, said = what_tokens_should_say(words, facts, batch)
    features = features.float()
    seen = features[marks.sample, marks.cell]
    logits = 8 * seen @ words.T / words.norm(dim=1).mean() ** 2
    # Two words are right: each is scored with the other out of the running.
    naming = (
        _cross_entropy_without(logits, marks.own, marks.partner) + _cross_entropy_without(logits, marks.partner, marks.own) / 2
    )
    knowing = sum(
        F.cross_entropy(4 * seen @ table.weight.detach().T / table.weight.norm(dim=1).mean().detach() ** 2, marks.facts[:, i])
        for i, table in enumerate(facts.tables)
    )
    kind = F.cross_entropy(16 * features.mean(1) @ words.T / words.norm(dim=1).mean() ** 2, batch.kinds)
    spread = said.var()
    near = ((seen - said) ** 2).mean() / spread + ((features - perfect) ** 2).mean() / spread
    read = (logits.topk(2).indices == marks.own[:, None]).any(1).float().mean().item()
    return naming + knowing / 10 + kind / 4 + near / 4, read


def _cross_entropy_without(logits: torch.Tensor, wanted: torch.Tensor, left_out: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.scatter(1, left_out[:, None], -1e4), wanted)
