"""The API drift gate: every call in notebooks, exercises and helpers fits the libraries that are installed.

The libraries of this course rename arguments from one release to the next, and a notebook notices only when a learner runs
it. ``test_versions`` (slow) runs the same gate on the lowest versions that pyproject.toml allows.
"""

import pytest

from tests.course.api_calls import checked_calls, course_sources, problems

SOURCES = course_sources()


@pytest.mark.parametrize("name", SOURCES)
def test_every_call_fits_the_installed_signatures(name):
    assert problems(SOURCES[name], name) == []


def test_the_gate_sees_the_calls_that_matter():
    lesson = SOURCES["notebooks/04_sft_chartqa.ipynb"]
    assert checked_calls(lesson) > 20
    for changed, said in (
        ("max_length=None,", "max_length"),
        ("processing_class=prepare_once(processor),", "processing_class"),
        ("lora_alpha=2 * LORA_RANK,", "lora_alpha"),
        ("resume_from_checkpoint=checkpoint", "resume_from_checkpoint"),
        ("seed=SEED)", "seed"),
    ):
        assert changed in lesson
        found = problems(lesson.replace(changed, changed.replace(f"{said}=", f"{said}_renamed="), 1))
        assert len(found) == 1, changed
        assert f"{said}_renamed" in found[0]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from trl import SFTConfig\nSFTConfig(max_seq_length=5)", "max_seq_length"),  # renamed to max_length
        ("from trl import SFTTrainer\nSFTTrainer(output_dir='x')", "output_dir"),  # wrong: it belongs to SFTConfig
        ("from peft import LoraConfig\nLoraConfig(rank=8)", "rank"),
        ("import trl\ntrl.DPOConfig(max_prompt_length=512)", "max_prompt_length"),
        ("import peft as p\np.LoraConfig(rank=8)", "rank"),
        ("from transformers import AutoModelForVision2Seq", "AutoModelForVision2Seq"),
        ("from trl.no_such_module import x", "no_such_module"),
        ("from trl import SFTTrainer\nt = SFTTrainer('m')\nt.train(resume=True)", "resume"),
        ("from helpers.data import load_chartqa\nload_chartqa('embedded', 'train', lines=3)", "lines"),
        ("from helpers.data import load_chartqa\nload_chartqa('embedded', 'train').select(rows=[1])", None),
        ("from helpers.data import load_chartqa\nr = load_chartqa('embedded', 'train')\nr.select(rows=[1])", "rows"),
        ("from datasets import Dataset\nDataset.from_dict({}, column=[])", "column"),
    ],
)
def test_planted_mistakes(source, said):
    found = problems(source)
    if said is None:  # a call on the result of a call isn't followed
        assert found == []
    else:
        assert len(found) == 1
        assert said in found[0]


@pytest.mark.parametrize(
    "source",
    [
        "from transformers import AutoProcessor\nAutoProcessor.from_pretrained('x', anything=1)",  # takes **kwargs
        "from trl import SFTConfig\nsettings = {}\nSFTConfig(max_length=None, **settings)",
        "from trl import SFTTrainer\nt = SFTTrainer('m')\nt.train(resume_from_checkpoint='x')\nt = 3\nt.train(resume=1)",
        "def train(x): ...\ntrain(resume=1)",
        "from datasets import Dataset\nDataset.from_dict({}, features=None)",
    ],
)
def test_what_fits_is_left_alone(source):
    assert problems(source) == []
