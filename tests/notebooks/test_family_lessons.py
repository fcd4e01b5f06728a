"""Whole lessons with another family's model."""

import pytest

from tests.models.families import FAMILIES, build
from tests.notebooks.family_lessons import CANNOT, LESSONS, PAGE, run_lessons

NAMES = [make.__name__ for make in FAMILIES]


def test_lessons_run_with_a_qwen_model(tmp_path):
    lessons = ["00_meet_the_model", "02_lora_parameters", "04_sft_chartqa"]
    assert list(run_lessons(build("qwen2_5_vl", tmp_path / "model"), lessons, tmp_path / "out")) == lessons


@pytest.mark.slow
@pytest.mark.parametrize("family", NAMES)
def test_every_lesson_runs_with_every_family(family, tmp_path):
    lessons = [lesson for lesson in LESSONS if (family, lesson) not in CANNOT]
    assert list(run_lessons(build(family, tmp_path / "model"), lessons, tmp_path / "out")) == lessons


@pytest.mark.skipif(not PAGE.exists(), reason="not measured yet: python -m tests.notebooks.family_lessons, about 40 minutes")
def test_the_page_tells_of_every_family_and_lesson_and_none_failed():
    rows = [line.split("|")[1:-1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert [cell.strip() for cell in rows[0]] == ["family", *(lesson[:2] for lesson in LESSONS)]
    assert [row[0].strip() for row in rows[1:]] == NAMES
    for name, *cells in rows[1:]:
        for lesson, cell in zip(LESSONS, cells, strict=True):
            assert cell.strip().isdigit() or (name.strip(), lesson) in CANNOT, (name, lesson)
