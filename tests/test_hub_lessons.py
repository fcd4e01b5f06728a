"""Whole lessons with the GPU profiles' own code, model and data from a stand-in hub, on the CPU."""

import json
import subprocess
import sys

import nbformat
import pytest
from hub_client import environment
from hub_files import repositories
from hub_stand_in import StandInHub

from helpers.hardware import choose_precision, detect
from helpers.paths import ROOT
from helpers.profiles import load_profile

pytestmark = pytest.mark.slow

# The runner keeps its caches in the repository; these are not the real weights, and must not end up there.
RUN = """
import sys
from pathlib import Path
from helpers import environment
environment.CACHE = Path(sys.argv[1])
from helpers.__main__ import main
raise SystemExit(main(sys.argv[2:]))
"""
SMALL = {  # what a few steps on the CPU need; everything else is the profile's
    "04": {
        "DEVICE": "cpu",
        "N_TRAIN": 16,
        "N_VAL": 4,
        "N_TEST": 8,
        "MAX_STEPS": 2,
        "EVAL_STEPS": 1,
        "GRADIENT_ACCUMULATION": 2,
    },
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def hub():
    with StandInHub(repositories()) as hub:
        yield hub


def run(hub, cache, lesson, profile, out, **settings):
    words = [word for name, value in (SMALL[lesson] | settings).items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-c", RUN, str(cache), "run", lesson, "--profile", profile, "--out", str(out), *words]
    done = subprocess.run(command, env=environment(hub.endpoint, cache), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((out / "results.json").read_text())


@pytest.mark.parametrize("lesson", SMALL)
@pytest.mark.parametrize("profile", ["t4", "gpu"])
def test_a_lesson_of_a_gpu_profile_runs_on_the_cpu(hub, cache, tmp_path, lesson, profile):
    results = run(hub, cache, lesson, profile, tmp_path)
    (name,) = results["lessons"]
    tested = choose_precision(load_profile(profile)["PRECISION"], detect("cpu"))[0]
    assert results["environment"]["precision_tested"] == tested
    assert (results["environment"]["profile"], results["environment"]["device"]) == (profile, "cpu")
    executed = nbformat.read(tmp_path / f"{name}.ipynb", as_version=4).metadata.papermill.parameters
    assert {key: executed[key] for key in ("MODEL", "DATASET", "QUANTIZATION")} == {
        key: load_profile(profile)[key] for key in ("MODEL", "DATASET", "QUANTIZATION")
    }
    assert (
        json.loads((tmp_path / name / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"]
        == (load_profile(profile)["MODEL"].partition("@")[0])
    )
    assert any("GET" in request and "model.safetensors" in request for request in hub.requests)


def test_with_everything_in_the_cache_no_network_is_needed_and_float16_is_owned_up_to(hub, cache, tmp_path):
    """After the tests above. On a CPU float16 silently trains in float32: the results say which it was."""
    hub.stop()
    results = run(hub, cache, "04", "t4", tmp_path, PRECISION="float16")
    assert results["environment"]["precision_tested"] == "float32"
