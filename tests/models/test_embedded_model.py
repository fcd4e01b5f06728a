"""The embedded model is what its card says: the file, the skills on charts it has never seen, and their limits."""

import hashlib
import json
import re

import numpy as np

from helpers.models import FULL_SENTENCE, SHORT_ANSWER
from helpers.paths import EMBEDDED_MODEL
from helpers.tiny import CLAIMED, STAGES, draw, invented_chart, last_rows, measure_skills, read_made

CARD = (EMBEDDED_MODEL / "README.md").read_text(encoding="utf-8")
FORMS = {
    "describe", "name?", "value?", "end number", "end name", "against", "yes or no", "spread", "size", "name? in a sentence",
    "value? in a sentence",
}  # fmt: skip
OTHER_CHARTS = 30_000  # a seed: neither the pretraining's charts nor those that the card was measured on


def test_the_card_names_the_weights():
    assert hashlib.sha256((EMBEDDED_MODEL / "model.safetensors").read_bytes()).hexdigest() in CARD


def test_the_card_is_written_from_what_its_run_measured():
    made = read_made(EMBEDDED_MODEL)
    assert made["seed"] == 0
    assert not made["commit"].endswith("+"), "the code had changed since its commit"
    assert f"at commit `{made['commit']}`" in CARD
    assert made["unseen"] >= 1_000
    assert min(made["compared_right"].values()) > 0.9, "comparisons stayed away"
    log = json.loads((EMBEDDED_MODEL / "pretraining_log.json").read_text(encoding="utf-8"))
    assert {stage: row["step"] for stage, row in last_rows(log).items()} == {stage.name: stage.steps for stage in STAGES}


def test_a_rebuild_comes_to_the_skills_that_the_card_claims():
    made = read_made(EMBEDDED_MODEL)
    assert made["rebuilt"]
    for again in made["rebuilt"]:
        off = {form: again["skills"][form] - share for form, share in made["skills"].items() if share >= CLAIMED}
        assert max(map(abs, off.values())) <= 0.06, off


def test_every_form_that_the_card_lists_is_answered_right(model, processor):
    rows = re.findall(r"^\| ([^|]+) \| `[^|]+` \| [^|]+ \| (\d\.\d\d) \|$", CARD, re.MULTILINE)
    listed = {form: float(share) for form, share in rows}
    assert set(listed) >= FORMS
    assert min(listed.values()) >= CLAIMED
    found = measure_skills(model, processor, charts=100, seed=OTHER_CHARTS, forms=tuple(listed))
    assert set(found) == set(listed)
    # A share of 0.93 on 100 charts has a standard error of 0.026.
    assert all(found[form] >= listed[form] - 0.08 for form in listed), (listed, found)
    assert np.mean([found[form] - listed[form] for form in listed]) > -0.03, (listed, found)


def test_the_system_message_decides_between_a_word_and_a_sentence(model, processor):
    from helpers.evaluation import generate_answers

    rng = np.random.default_rng(OTHER_CHARTS)
    charts = [invented_chart(rng)[0] for _ in range(20)]
    rows = [{"image": draw(chart, rng), "query": f"{chart.names[0]}?"} for chart in charts]
    words = generate_answers(model, processor, rows, system=SHORT_ANSWER)
    sentences = generate_answers(model, processor, rows, system=FULL_SENTENCE)
    assert all(word.isdigit() for word in words)
    assert all(re.fullmatch(r"[A-Z][\w ,]+\.", sentence) and len(sentence.split()) > 4 for sentence in sentences), sentences
