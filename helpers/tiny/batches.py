"""Turn drawn charts into training batches: token ids, labels on the answers, and what each image token should say."""

from dataclasses import dataclass

import numpy as np
import torch

from helpers.tiny.architecture import GRID, IMAGE_TOKENS
from helpers.tiny.charts import layout, reading_order
from helpers.tiny.curriculum import conversation
from helpers.tiny.rendering import Drawn

IGNORE = -100


@dataclass
class Marks:
    """One row per label in the pictures of a batch: where it stands and what is true of its mark."""

    sample: torch.Tensor  # (labels,) which chart of the batch
    cell: torch.Tensor  # (labels,) which image token
    own: torch.Tensor  # (labels,) the token that is written there
    partner: torch.Tensor  # (labels,) the value's name, or the name's value
    facts: torch.Tensor  # (labels, 5): place from first, from last, rank from top, from bottom, is it a value


@dataclass
class Batch:
    ids: torch.Tensor  # (batch, tokens), padded on the right
    labels: torch.Tensor  # (batch, tokens), IGNORE except on answers
    weights: torch.Tensor  # (batch, tokens), one over its answer's length
    thoughts: torch.Tensor  # (n, 4): sample, position, and the two tokens the model should have in mind there
    pixels: torch.Tensor  # (batch, 3, 128, 128), -1..1
    kinds: torch.Tensor  # (batch,) token of the chart's kind
    marks: Marks


class BatchMaker:
    """Draws batches from ``drawn``; the same ``seed`` and step give the same batch, so that a run can be resumed."""

    def __init__(self, drawn: Drawn, tokenizer, seed: int):
        self.drawn, self.tokenizer, self.seed = drawn, tokenizer, seed
        self.image_block = "<fake_token_around_image><global-img>" + "<image>" * IMAGE_TOKENS + "<fake_token_around_image>"
        self._known: dict[str, list[int]] = {}

    def tokens(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self._known[text]

    def word(self, text: str) -> int:
        """The single token of a name or number inside a sentence."""
        (token,) = self.tokens(f" {text}")
        return token

    def charts(self, step: int, size: int) -> Batch:
        """``size`` conversations about charts."""
        rng = np.random.default_rng([self.seed, step])
        picked = rng.integers(len(self.drawn.charts), size=size)
        rows, thoughts, marks = [], [], []
        for sample, at in enumerate(picked):
            *row, in_mind = self._conversation(at, rng)
            rows.append(row)
            thoughts += [(sample, *thought) for thought in in_mind]
            marks += [(sample, *mark) for mark in self._marks(at)]
        ids, labels, weights = _pad(rows)
        marks = torch.tensor(marks)
        return Batch(
            ids, labels, weights, torch.tensor(thoughts),
            pixels=torch.from_numpy(self.drawn.pixels[picked]).float() / 127.5 - 1,
            kinds=torch.tensor([self.word(self.drawn.charts[at].kind.split()[0]) for at in picked]),
            marks=Marks(*marks[:, :4].T, facts=marks[:, 4:]),
        )  # fmt: skip

    def _conversation(self, at: int, rng: np.random.Generator):
        chart = self.drawn.charts[at]
        partner = {}
        for name, value in zip(chart.names, map(str, chart.values), strict=True):
            partner |= dict.fromkeys(self.tokens(name) + self.tokens(f" {name}"), self.word(value))
            partner |= dict.fromkeys(self.tokens(value) + self.tokens(f" {value}"), self.word(name))
        system, turns = conversation(chart, self.drawn.words[at], rng)
        ids = self.tokens(f"<|im_start|>System: {system}<end_of_utterance>\n")[:]
        labels, weights, thoughts, image = [IGNORE] * len(ids), [0.0] * len(ids), [], self.image_block
        for turn in turns:
            asked = self.tokens(f"User:{image or ' '}{turn.question}<end_of_utterance>\nAssistant:")
            answer = self.tokens(f" {turn.answer}<end_of_utterance>")
            image = ""
            for place, token in enumerate(asked + answer, start=len(ids)):
                if token in partner:  # a name is mentioned, and its value should come to mind, or the other way round
                    thoughts.append((place, partner[token], partner[token]))
            if turn.in_mind:
                thoughts.append((len(ids) + len(asked) - 1, *map(self.word, turn.in_mind)))
            ids, labels = ids + asked + answer + self.tokens("\n"), labels + [IGNORE] * len(asked) + answer + [IGNORE]
            weights += [0.0] * len(asked) + [1 / len(answer)] * len(answer) + [0.0]
        return ids, labels, weights, thoughts

    def _marks(self, at: int):
        chart = self.drawn.charts[at]
        count, ranked, order = len(chart.values), sorted(chart.values, reverse=True), reading_order(chart)
        for label in layout(chart):
            row, column = label.token
            i, is_value = label.index, label.role == "value"
            name, value, rank = self.word(chart.names[i]), self.word(chart.values[i]), ranked.index(chart.values[i])
            own, partner = (value, name) if is_value else (name, value)
            place = order.index(i)
            yield row * GRID + column, own, partner, place, count - 1 - place, rank, count - 1 - rank, int(is_value)


def _pad(rows: list[list[list]]) -> tuple[torch.Tensor, ...]:
    """Rows of (ids, labels, weights) -> three tensors (rows, tokens of the longest)."""
    width = max(len(ids) for ids, _, _ in rows)
    return tuple(
        torch.tensor([row[part] + [empty] * (width - len(row[part])) for row in rows])
        for part, empty in enumerate((0, IGNORE, 0.0))
    )
