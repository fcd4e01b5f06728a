"""The messages on the troubleshooting page are those of the installed libraries: a page of old messages finds nobody."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from helpers.paths import ROOT

PAGE = (ROOT / "exercises" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = {
    "Your setup doesn't support bf16/gpu": "transformers/training_args.py",
    "must be a `Dataset` or `IterableDataset`, got `": "trl/trainer/sft_trainer.py",
    "does not match number of image placeholders": "trl/data_utils.py",
    "causes image placeholder": "trl/trainer/sft_trainer.py",
    "Image features and image tokens do not match": "transformers/models/smolvlm/modeling_smolvlm.py",
    "Unexpected input keys in examples": "trl/trainer/sft_trainer.py",
    "Please specify `target_modules`": "peft/tuners/lora/model.py",
    "not found in the base model": "peft/tuners/tuners_utils.py",
    "You are trying to modify a model with PEFT for a second time": "peft/mapping_func.py",
    "is not supported for vision datasets": "trl/trainer/dpo_trainer.py",
    "must be divisible by num_generations": "trl/trainer/grpo_config.py",
    "Unrecognized model": "transformers/models/auto/configuration_auto.py",
    "Server is pinned to": "transformers/cli/serving/utils.py",
}


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_on_the_page_is_one_that_the_library_has(message):
    package, _, file = MESSAGES[message].partition("/")
    assert message in PAGE
    assert message in (Path(find_spec(package).origin).parent / file).read_text(encoding="utf-8")
