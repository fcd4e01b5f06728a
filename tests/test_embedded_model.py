"""The embedded model is what its card says: the file, and the skills on charts it has never seen."""

import hashlib

from helpers.paths import EMBEDDED_MODEL
from helpers.tiny.skills import measure_skills


def test_the_card_names_the_weights():
    digest = hashlib.sha256((EMBEDDED_MODEL / "model.safetensors").read_bytes()).hexdigest()
    assert digest in (EMBEDDED_MODEL / "README.md").read_text(encoding="utf-8")


def test_it_looks_up_values_names_and_compares(model, processor):
    skills = measure_skills(model, processor, charts=60, forms=("name?", "value?", "against"))
    assert set(skills) == {"name?", "value?", "against"}
    assert min(skills.values()) >= 0.9, skills
