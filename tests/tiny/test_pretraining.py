"""The pretraining code runs, can be resumed, and each stage trains its part. How well it teaches, `make tiny` shows."""

import numpy as np
import pytest
import torch

from helpers.tiny import (
    IGNORE,
    BatchMaker,
    Drawn,
    FactTable,
    Stage,
    build_model,
    build_processor,
    compare_content_from_the_start,
    invented_chart,
    layout,
    numbers_as_waves,
    readable,
    reading_loss,
    train_stage,
    what_tokens_should_say,
)


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    tokenizer = build_processor().tokenizer
    rng = np.random.default_rng(0)
    charts, words = zip(*(invented_chart(rng) for _ in range(12)), strict=True)
    drawn = Drawn(np.zeros((12, 3, 128, 128), np.uint8), list(charts), list(words))
    return tokenizer, BatchMaker(drawn, tokenizer, seed=0)


def new_model(tokenizer):
    torch.manual_seed(0)
    model = build_model(tokenizer)
    compare_content_from_the_start(model)
    numbers_as_waves(model, tokenizer)
    return model, FactTable(128)


def test_labels_are_the_answers_and_nothing_else(parts):
    tokenizer, maker = parts
    batch = maker.charts(step=0, size=4)
    assert (batch.labels == batch.ids)[batch.labels != IGNORE].all()
    text = tokenizer.decode(batch.labels[0][batch.labels[0] != IGNORE])
    assert "User" not in text
    assert "System" not in text
    assert text.endswith("<end_of_utterance>")
    assert torch.equal(batch.ids, maker.charts(step=0, size=4).ids)
    assert not torch.equal(batch.ids[0, :90], maker.charts(step=1, size=4).ids[0, :90])


def test_weighed_evenly_an_answer_counts_once_however_long(parts):
    _, maker = parts
    batch = maker.charts(step=0, size=4)
    assert ((batch.weights > 0) == (batch.labels != IGNORE)).all()
    for weights, answered in zip(batch.weights, batch.labels != IGNORE, strict=True):
        starts = torch.nonzero(answered[1:] & ~answered[:-1])[:, 0] + 1
        lengths = [int(answered[start:].long().cumprod(0).sum()) for start in starts]
        assert len(set(lengths)) > 1
        for start, length in zip(starts, lengths, strict=True):
            assert float(weights[start : start + length].sum()) == pytest.approx(1)


def test_the_first_question_is_of_any_form(parts):
    tokenizer, maker = parts
    texts = [tokenizer.decode(row) for step in range(8) for row in maker.charts(step, size=12).ids]
    first = [text.split("<fake_token_around_image>")[2].split("<end_of_utterance>")[0] for text in texts]
    assert 0.08 < sum(question.startswith("Describe the chart") for question in first) / len(first) < 0.4
    assert len(set(first)) > 50


def test_what_should_be_in_mind_is_what_the_answer_is_worked_out_from(parts):
    tokenizer, maker = parts
    batch = maker.charts(step=0, size=12)
    two = batch.thoughts[batch.thoughts[:, 2] != batch.thoughts[:, 3]]
    assert len(two)
    for sample, position, one, other in two.tolist():
        assert tokenizer.decode(batch.ids[sample, position - 1 : position + 1]) == "Assistant:"
        assert tokenizer.decode(batch.labels[sample, position + 1]).strip().isalnum()
        assert all(int(tokenizer.decode(value)) in range(1, 101) for value in (one, other))


def test_numbers_start_out_like_their_neighbours(parts):
    tokenizer, maker = parts
    model, _ = new_model(tokenizer)
    words = torch.nn.functional.normalize(model.model.text_model.embed_tokens.weight.detach(), dim=1)
    like = {n: float(words[maker.word(40)] @ words[maker.word(n)]) for n in (40, 41, 47)}
    assert like[40] > like[41] > like[47]
    assert float(words[maker.tokens("Spain")[0]] @ words[maker.word("Spain")]) > 0.8


def test_perfect_eyes_have_no_reading_loss_to_speak_of(parts):
    tokenizer, maker = parts
    model, facts = new_model(tokenizer)
    words = model.model.text_model.embed_tokens.weight.detach()
    batch = maker.charts(step=0, size=4)
    perfect, _ = what_tokens_should_say(words, facts, batch)
    good, read = reading_loss(perfect.detach(), words, facts, batch)
    bad, nothing = reading_loss(torch.zeros_like(perfect), words, facts, batch)
    assert good < bad / 2
    # Not 1: before training, a number's neighbours look like it, and the two words of a token compete.
    assert read > 0.3 > 0.1 > nothing


@pytest.mark.parametrize(("name", "trains_text", "trains_eyes"), [("language", 1, 0), ("eyes", 0, 1), ("together", 1, 1)])
def test_a_stage_trains_its_part_and_can_be_resumed(parts, tmp_path, name, trains_text, trains_eyes):
    tokenizer, maker = parts
    model, facts = new_model(tokenizer)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    train_stage(Stage(name, 2, 4, 1e-3), 1, model, facts, maker, tmp_path)
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert any("text_model" in key for key in changed) == bool(trains_text)
    assert any("vision_model" in key for key in changed) == bool(trains_eyes)
    # A finished stage is read back, not run again.
    again, more_facts = new_model(tokenizer)
    train_stage(Stage(name, 2, 4, 1e-3), 1, again, more_facts, maker, tmp_path)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.state_dict().items())


def test_labels_of_a_readable_chart_lie_on_the_grid_each_under_its_own_token():
    rng = np.random.default_rng(3)
    for _ in range(100):
        chart, _ = invented_chart(rng)
        assert readable(chart)
        labels = layout(chart)
        assert all(label.x % 32 == 0 and 0 <= label.token[0] < 8 and 0 <= label.token[1] < 8 for label in labels)
        assert len({label.token for label in labels}) == 2 * len(chart.names)
