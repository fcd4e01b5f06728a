"""Pretrain the embedded model from nothing, in three stages, on two CPU cores.

1. *Language*: the text model alone, with perfect eyes (:mod:`helpers.tiny.eyes`). It learns to look a value up by its
   name, which :mod:`helpers.tiny.initialization` shortens from hours to minutes, and to compare, for which every answer counts
   the same, however long it is.
2. *Eyes*: the vision tower and the connector alone learn to say what perfect eyes say.
3. *Together*: all weights, through the real eyes, answers and reading at once.

Every step draws its batch from its own seed and every minute is saved, so a run that was stopped goes on where it was. All in
32 bit: on a Xeon with bfloat16 units a step under autocast took 1.7 times as long, on an EPYC with them as long.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm
from transformers import SmolVLMForConditionalGeneration

from helpers.tiny.architecture import build_model, build_processor
from helpers.tiny.batches import IGNORE, Batch, BatchMaker
from helpers.tiny.card import keep_made, read_made
from helpers.tiny.curriculum import invented_chart
from helpers.tiny.eyes import FactTable, reading_loss, what_tokens_should_say
from helpers.tiny.initialization import compare_content_from_the_start, numbers_as_waves
from helpers.tiny.provenance import measured_by
from helpers.tiny.rendering import CHUNK, Drawn, draw_invented, invented_chunk, without_pictures
from helpers.tiny.skills import measure_skills

SAVE_EVERY_SECONDS = 60
CHARTS = 20_000
UNSEEN = 1_000  # charts that judge
_VERDICTS = ("more", "less", "Yes", "No")


@dataclass(frozen=True)
class Stage:
    name: str
    steps: int
    batch: int
    learning_rate: float


STAGES = (Stage("language", 1400, 32, 2e-3), Stage("eyes", 450, 32, 2e-3), Stage("together", 2300, 32, 1e-3))


def see(model: SmolVLMForConditionalGeneration, pixels: torch.Tensor) -> torch.Tensor:
    """Pictures (batch, 3, 128, 128) -> image tokens (batch, 64, width)."""
    return model.model.connector(model.model.vision_model(pixel_values=pixels).last_hidden_state)


def read_answers(model, batch: Batch, image_tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the model would write at every answer token, what it should write there, and all states half way up.

    (answer tokens, vocabulary), (answer tokens,), (batch, tokens, width).
    """
    embedded = model.model.text_model.embed_tokens(batch.ids)
    at_image = (batch.ids == model.config.image_token_id).unsqueeze(-1).expand_as(embedded)
    embedded = embedded.masked_scatter(at_image, image_tokens.to(embedded.dtype))
    states = model.model.text_model(inputs_embeds=embedded, output_hidden_states=True)
    answers = batch.labels[:, 1:] != IGNORE
    logits = model.lm_head(states.last_hidden_state[:, :-1][answers]).float()
    half_way = states.hidden_states[len(model.model.text_model.layers) // 2]
    return logits, batch.labels[:, 1:][answers], half_way


def answer_loss(model, batch: Batch, image_tokens: torch.Tensor, evenly: bool = False) -> tuple[torch.Tensor, float]:
    """Cross entropy on the answers, plus a third of that of what should be in mind half way up; and the share right.

    ``evenly``: an answer counts once, not as often as it has tokens. A description has ten times the tokens of a
    comparison, which is harder, and without this the comparisons may not come at all.
    """
    logits, wanted, half_way = read_answers(model, batch, image_tokens)
    thinking = half_way[batch.thoughts[:, 0], batch.thoughts[:, 1]]
    in_mind = model.lm_head(model.model.text_model.norm(thinking)).float()
    weights = batch.weights[:, 1:][batch.labels[:, 1:] != IGNORE] if evenly else torch.ones(len(wanted))
    writing = (F.cross_entropy(logits, wanted, reduction="none") * weights).sum() / weights.sum()
    loss = writing - F.log_softmax(in_mind, -1).gather(1, batch.thoughts[:, 2:]).mean() / 3
    return loss, (logits.argmax(-1) == wanted).float().mean().item()


def language_step(model, facts: FactTable, maker: BatchMaker, step: int, size: int) -> tuple[torch.Tensor, dict[str, float]]:
    batch = maker.charts(step, size)
    words = model.model.text_model.embed_tokens.weight
    perfect, _ = what_tokens_should_say(words, facts, batch)
    perfect = perfect + 0.01 * torch.randn(perfect.shape, generator=torch.Generator().manual_seed(step))
    loss, answers = answer_loss(model, batch, perfect, evenly=True)
    return loss, {"answers": answers}


def eyes_step(model, facts: FactTable, maker: BatchMaker, step: int, size: int) -> tuple[torch.Tensor, dict[str, float]]:
    batch = maker.charts(step, size)
    loss, reading = reading_loss(see(model, batch.pixels), model.model.text_model.embed_tokens.weight, facts, batch)
    return loss, {"reading": reading}


def together_step(model, facts: FactTable, maker: BatchMaker, step: int, size: int) -> tuple[torch.Tensor, dict[str, float]]:
    batch = maker.charts(step, size)
    tokens = see(model, batch.pixels)
    loss, answers = answer_loss(model, batch, tokens)
    dense, reading = reading_loss(tokens, model.model.text_model.embed_tokens.weight, facts, batch)
    return loss + dense / 4, {"answers": answers, "reading": reading}


_STEPS: dict[str, Callable] = {"language": language_step, "eyes": eyes_step, "together": together_step}


def trained_by(stage: Stage, model, facts: FactTable) -> list[torch.nn.Parameter]:
    eyes = [*model.model.vision_model.parameters(), *model.model.connector.parameters()]
    return {
        "language": [*model.model.text_model.parameters(), *facts.parameters()],
        "eyes": eyes,
        "together": [*model.model.text_model.parameters(), *facts.parameters(), *eyes],
    }[stage.name]


def train_stage(stage: Stage, number: int, model, facts: FactTable, maker: BatchMaker, folder: Path) -> list[dict]:
    """Run one stage, or what is left of it.

    The log has a row every 50 steps: step, loss, seconds, and which share of the answers' tokens and of the pictures'
    words was right.
    """
    parameters = trained_by(stage, model, facts)
    optimizer = torch.optim.AdamW(parameters, lr=stage.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    path, log, start, spent = folder / f"{number}_{stage.name}.pt", [], 0, 0.0
    if path.exists():
        saved = torch.load(path, weights_only=True)
        model.load_state_dict(saved["model"])
        facts.load_state_dict(saved["facts"])
        optimizer.load_state_dict(saved["optimizer"])
        log, start, spent = saved["log"], saved["step"], saved["seconds"]
    began = last_saved = time.monotonic()
    with tqdm(total=stage.steps, initial=start, desc=f"{number}. {stage.name}", mininterval=5) as bar:
        for step in range(start, stage.steps):
            for group in optimizer.param_groups:
                group["lr"] = stage.learning_rate * schedule(step, stage.steps)
            loss, right = _STEPS[stage.name](model, facts, maker, 100_000 * number + step, stage.batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            bar.update()
            seconds = spent + time.monotonic() - began
            if step % 50 == 49:
                log.append({"stage": stage.name, "step": step + 1, "loss": loss.item(), **right, "seconds": seconds})
                bar.set_postfix(loss=f"{loss.item():.2f}", **{name: f"{share:.0%}" for name, share in right.items()})
            if time.monotonic() - last_saved > SAVE_EVERY_SECONDS or step + 1 == stage.steps:
                last_saved = time.monotonic()
                state = {"model": model.state_dict(), "facts": facts.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save({**state, "log": log, "step": step + 1, "seconds": seconds}, path.with_suffix(".part"))
                path.with_suffix(".part").replace(path)
    return log


def schedule(step: int, steps: int) -> float:
    """Share of the learning rate: up over 100 steps, then down a half cosine to a twentieth."""
    return min(1.0, (step + 1) / 100) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def pretrain(target: Path, folder: Path, workers: int, seed: int = 0) -> None:
    """Train from nothing and save a plain SmolVLM, with its processor, to ``target``; ``folder`` keeps what a restart needs.

    Beside the weights lie the log of the run (``pretraining_log.json``), what it measured (``made.json``), and the card that is
    written from both.
    """
    began = time.monotonic()
    made = {"seed": seed, "charts": CHARTS, **measured_by()}
    model, processor, facts, maker = _from_nothing(draw_invented(CHARTS, seed, folder / "charts", workers), seed)
    log = []
    for number, stage in enumerate(STAGES, start=1):
        log += train_stage(stage, number, model, facts, maker, folder)
        if stage.name == "language":
            made["compared_right"] = {str(seed): compared_right(model, facts, processor.tokenizer)}
    model.save_pretrained(target)
    processor.save_pretrained(target)
    (target / "pretraining_log.json").write_text(json.dumps(log, indent=1), encoding="utf-8")
    skills = measure_skills(model, processor, UNSEEN)
    print("on unseen charts:", ", ".join(f"{form} {share:.3f}" for form, share in skills.items()))
    keep_made(target, made | {"unseen": UNSEEN, "skills": skills, "minutes": (time.monotonic() - began) / 60})


def try_language(target: Path, folder: Path, seed: int) -> None:
    """Train the language stage alone with another ``seed``, and note in ``target``'s card how well it compares."""
    charts = without_pictures([pair for chunk in range(CHARTS // CHUNK) for pair in invented_chunk(seed, chunk)])
    model, processor, facts, maker = _from_nothing(charts, seed)
    folder.mkdir(parents=True, exist_ok=True)
    train_stage(STAGES[0], 1, model, facts, maker, folder)
    right = compared_right(model, facts, processor.tokenizer)
    print(f"seed {seed}: {right:.3f} of the comparisons right")
    made = read_made(target)
    keep_made(target, made | {"compared_right": made["compared_right"] | {str(seed): right}})


@torch.no_grad()
def compared_right(model, facts: FactTable, tokenizer, charts: int = 400, seed: int = 10_000) -> float:
    """Share of comparisons decided right with perfect eyes, on ``charts`` charts that no training saw; chance is a half.

    Comparing comes last in the language stage, and under worse recipes it stays away.
    """
    rng = np.random.default_rng(seed)
    maker = BatchMaker(without_pictures([invented_chart(rng) for _ in range(charts)]), tokenizer, seed)
    verdicts = torch.tensor([maker.word(verdict) for verdict in _VERDICTS])
    right = []
    for step in range(charts // 20):
        batch = maker.charts(step, 20)
        perfect, _ = what_tokens_should_say(model.model.text_model.embed_tokens.weight, facts, batch)
        logits, wanted, _ = read_answers(model, batch, perfect)
        asked = torch.isin(wanted, verdicts)
        right.append((logits.argmax(-1) == wanted)[asked])
    return torch.cat(right).float().mean().item()


def _from_nothing(drawn: Drawn, seed: int) -> tuple:
    """A new model, its processor, the facts' table, and what makes batches of ``drawn``."""
    torch.manual_seed(seed)
    processor = build_processor()
    model = build_model(processor.tokenizer)
    compare_content_from_the_start(model)
    numbers_as_waves(model, processor.tokenizer)
    facts = FactTable(model.config.text_config.hidden_size)
    return model, processor, facts, BatchMaker(drawn, processor.tokenizer, seed)
