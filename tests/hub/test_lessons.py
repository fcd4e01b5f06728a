"""Whole lessons with the GPU profiles' own code, model and data from a stand-in hub, on the CPU."""

import json
import subprocess
import sys

import nbformat
import pytest

from helpers.course import load_profile
from helpers.models import choose_precision, detect
from helpers.paths import ROOT
from tests.hub.client import environment
from tests.hub.files import repositories
from tests.hub.stand_in import StandInHub

pytestmark = pytest.mark.slow

# The runner keeps its caches in the repository; these are not the real weights, and must not end up there.
RUN = """
import sys
from pathlib import Path
from helpers.course import environment
environment.CACHE = Path(sys.argv[1])
from helpers.__main__ import main
raise SystemExit(main(sys.argv[2:]))
"""
LESSONS = ("04", "05", "08", "09")
SMALL = {  # what a few steps on the CPU need; everything else is the profile's
    "DEVICE": "cpu", "MAX_STEPS": 2, "EVAL_STEPS": 1, "N_TRAIN": 16, "N_VAL": 4, "N_TEST": 8,
    "DPO_STEPS": 2, "N_PAIRS": 8, "N_TEST_PAIRS": 8, "CLINIC_STEPS": 1, "N_CLINIC": 4,
    "START_QUESTIONS": 8, "START_STEPS": 2, "GRPO_STEPS": 2, "GROUPS": 2, "HACK_STEPS": 1, "DESCRIBED_CHARTS": 2,
    "SERVED_QUESTIONS": 4, "LOAD_QUESTIONS": 2, "DESCRIPTION_TOKENS": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def hub():
    with StandInHub(repositories()) as hub:
        yield hub


def run(hub, cache, profile, out, **settings):
    words = [word for name, value in (SMALL | settings).items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-c", RUN, str(cache), "run", *LESSONS, "--profile", profile, "--out", str(out), *words]
    done = subprocess.run(command, env=environment(hub.endpoint, cache), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((out / "results.json").read_text())


@pytest.mark.parametrize("profile", ["t4", "gpu"])
def test_the_lessons_of_a_gpu_profile_run_on_the_cpu(hub, cache, tmp_path, profile):
    wanted = load_profile(profile)
    results = run(hub, cache, profile, tmp_path)
    assert [name[:2] for name in results["lessons"]] == list(LESSONS)
    assert results["environment"]["precision_tested"] == choose_precision(wanted["PRECISION"], detect("cpu"))[0]
    assert (results["environment"]["profile"], results["environment"]["device"]) == (profile, "cpu")
    for name in results["lessons"]:
        executed = nbformat.read(tmp_path / f"{name}.ipynb", as_version=4).metadata.papermill.parameters
        asked = [key for key in ("MODEL", "DATASET", "PREFERENCES", "QUANTIZATION") if key in executed]
        assert len(asked) >= 2
        assert {key: executed[key] for key in asked} == {key: wanted[key] for key in asked}
    adapter = json.loads((tmp_path / "04_sft_chartqa" / "adapter" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == wanted["MODEL"].partition("@")[0]
    for file in ("model.safetensors", ".parquet"):
        assert any(request.startswith("GET") and file in request for request in hub.requests), "nothing came from the hub"


def test_with_all_in_the_cache_no_network_is_needed_and_float16_is_owned_up_to(hub, cache, tmp_path):
    """After the tests above. On a CPU float16 silently trains in float32: the results say which it was. And as many examples
    at once as fit: of so small a model, all 16 of a step."""
    hub.stop()
    results = run(hub, cache, "t4", tmp_path, PRECISION="float16", BATCH_SIZE="auto")
    assert results["environment"]["precision_tested"] == "float32"
    state = next((tmp_path / "04_sft_chartqa" / "checkpoints").glob("checkpoint-*/trainer_state.json"))
    assert json.loads(state.read_text())["train_batch_size"] == 16
