"""Turn drawn charts into training batches: token ids, labels on the answers, and what each image token should say."""

from dataclasses import dataclass

import numpy as np
import torch

from helpers.tiny.architecture import GRID, IMAGE_TOKENS
from helpers.tiny.charts import layout
from helpers.tiny.curriculum import dialogue
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
            ids, labels, in_mind = self._conversation(at, rng)
            rows.append((ids, labels))
            thoughts += [(sample, *thought) for thought in in_mind]
            marks += [(sample, *mark) for mark in self._marks(at)]
        ids, labels = _pad(rows)
        marks = torch.tensor(marks)
        return Batch(
            ids, labels, torch.tensor(thoughts),
            pixels=torch.from_numpy(self.drawn.pixels[picked]).float() / 127.5 - 1,
            kinds=torch.tensor([self.word(self.drawn.charts[at].kind.split()[0]) for at in picked]),
            marks=Marks(*marks[:, :4].T, facts=marks[:, 4:]),
        )  # fmt: skip

    def subtractions(self, step: int, size: int, each: int = 16) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Text only, "63 minus 28 is 35": ids, labels on the results, and both numbers in mind before each result."""
        rng = np.random.default_rng([self.seed, 7, step])
        rows, thoughts = [], []
        for sample in range(size):
            ids, labels = self.tokens("<|im_start|>")[:], [IGNORE]
            for _ in range(each):
                low, high = sorted(int(n) for n in rng.choice(np.arange(1, 100), 2, replace=False))
                asked = self.tokens(f" {high}") + self.tokens(" minus") + self.tokens(f" {low}") + self.tokens(" is")
                result = self.tokens(f" {high - low}")
                thoughts.append((sample, len(ids) + 3, self.word(high), self.word(low)))
                ids = ids + asked + result + self.tokens(",")
                labels = labels + [IGNORE] * 4 + result + [IGNORE]
            rows.append((ids, labels))
        return *_pad(rows), torch.tensor(thoughts)

    def _conversation(self, at: int, rng: np.random.Generator):
        chart = self.drawn.charts[at]
        value_of = {
            token: self.word(value)
            for name, value in zip(chart.names, chart.values, strict=True)
            for token in self.tokens(name) + self.tokens(f" {name}")
        }
        system, *turns = dialogue(chart, self.drawn.words[at], rng)
        ids = self.tokens(f"<|im_start|>System: {system['content']}<end_of_utterance>\n")[:]
        labels, thoughts, image = [IGNORE] * len(ids), [], self.image_block
        for turn in turns:
            if turn["role"] == "assistant":
                answer = self.tokens(f" {turn['content']}<end_of_utterance>")
                ids, labels = ids + answer + self.tokens("\n"), labels + answer + [IGNORE]
                continue
            asked = self.tokens(f"User:{image or ' '}{turn['content']}<end_of_utterance>\nAssistant:")
            image = ""
            for place, token in enumerate(asked, start=len(ids)):
                if token in value_of:  # a name is mentioned: its value should come to mind
                    thoughts.append((place, value_of[token], value_of[token]))
            if turn["content"] == "Spread.":
                thoughts.append((len(ids) + len(asked) - 1, self.word(max(chart.values)), self.word(min(chart.values))))
            ids, labels = ids + asked, labels + [IGNORE] * len(asked)
        return ids, labels, thoughts

    def _marks(self, at: int):
        chart = self.drawn.charts[at]
        count, ranked = len(chart.values), sorted(chart.values, reverse=True)
        for label in layout(chart):
            row, column = label.token
            i, is_value = label.index, label.role == "value"
            name, value, rank = self.word(chart.names[i]), self.word(chart.values[i]), ranked.index(chart.values[i])
            own, partner = (value, name) if is_value else (name, value)
            yield row * GRID + column, own, partner, i, count - 1 - i, rank, count - 1 - rank, int(is_value)


def _pad(rows: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [IGNORE] * (width - len(labels)) for _, labels in rows])
    return ids, labels
