"""Lesson 09: what it recorded, what its card says, and that its servers end with it, killed or interrupted."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from huggingface_hub import ModelCard
from peft import LoraConfig, get_peft_model

from helpers.course import load_profile, note_base
from helpers.lora import text_layers
from helpers.models import load_model
from helpers.paths import EMBEDDED_MODEL, NOTEBOOKS

TETHERED = "helpers.evaluation.tethered"


def test_what_is_served_is_what_was_trained_and_the_ways_to_differ_differ(recorded):
    figures = recorded("09_serving")
    assert figures["served_equal_share"] == figures["streamed_equal_share"] == 1
    assert figures["merged_worst_logit_difference"] < 1e-3
    for way in ("base", "text_first"):
        assert 0 <= figures[f"{way}_equal_share"] < 1, way
    assert 0 <= figures["no_system_equal_share"] <= 1
    assert 0 < figures["seconds_per_request"] < figures["start_seconds"]


def test_the_profiles_ask_at_least_a_hundred_questions():
    for profile in ("tiny", "t4", "gpu"):
        assert load_profile(profile)["SERVED_QUESTIONS"] >= 100


@pytest.fixture
def after_lesson_04(tmp_path):
    """A run's folder with an adapter, as lesson 04 leaves one: it was trained on nothing, and that is all one here."""
    lora = LoraConfig(r=4, target_modules=text_layers("embedded"), init_lora_weights=False, task_type="CAUSAL_LM")
    adapter = tmp_path / "04_sft_chartqa" / "adapter"
    get_peft_model(load_model("embedded"), lora).save_pretrained(adapter)
    note_base(adapter, "embedded")
    (tmp_path / "results.json").write_text(json.dumps({"lessons": {"04_sft_chartqa": {}}, "environment": {}}))
    return tmp_path


def heed_interrupts() -> None:
    """What a shell starts in the background ignores SIGINT, and hands that on to its children: undo it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("moment", ["while it loads", "while it answers"])
def test_the_server_is_gone_with_the_lesson(after_lesson_04, ending, moment):
    command = [sys.executable, "-m", "helpers", "run", "09", "--profile", "tiny", "--out", str(after_lesson_04)]
    with open(after_lesson_04 / "printed.txt", "w") as printed:
        runner = subprocess.Popen(command, stdout=printed, stderr=printed, start_new_session=True, preexec_fn=heed_interrupts)
    log = after_lesson_04 / "09_serving" / "server.log"
    wanted = "" if moment == "while it loads" else "POST /v1/chat/completions"
    while not (log.exists() and wanted in log.read_text()):
        assert runner.poll() is None, (after_lesson_04 / "printed.txt").read_text()
        time.sleep(0.05)
    time.sleep(0.5)
    started = psutil.Process(runner.pid).children(recursive=True)
    servers = [one for one in started if TETHERED in one.cmdline()]
    assert len(servers) == 1
    os.kill(runner.pid, ending)
    runner.wait(60)
    _, alive = psutil.wait_procs(started, timeout=15)
    assert not alive, f"still there: {alive}"


def card_of(model: str, dataset: str, folder) -> ModelCard:
    """What the lesson's own cells write."""
    cells = nbformat.read(NOTEBOOKS / "09_serving.ipynb", as_version=4).cells
    first = next(at for at, cell in enumerate(cells) if cell.source.startswith("## A card")) + 1
    imports = next(cell for cell in cells if "ModelCardData\n" in cell.source)
    (folder / "merged").mkdir()
    names = {"MODEL": model, "DATASET": dataset, "folder": folder, "test_rows": [0] * 4, "right": [True, True, False, True]}
    names |= {"low": 0.3, "high": 1.0}
    for cell in (imports, *cells[first : first + 3]):
        exec(cell.source, names)
    return ModelCard.load(folder / "merged" / "README.md")


@pytest.mark.parametrize(
    ("model", "dataset", "named"),
    [
        ("embedded", "embedded", "The course's tiny SmolVLM with LoRA, fine-tuned on ChartQA-mini to"),
        ("private/my-base", "private/my charts", "my-base with LoRA, fine-tuned on my charts to"),
    ],
)
def test_a_card_names_what_is_only_here_by_a_name_and_a_checksum(tmp_path, model, dataset, named):
    shutil.copytree(EMBEDDED_MODEL, tmp_path / "private/my-base")
    places = [name if name == "embedded" else str(tmp_path / name) for name in (model, dataset)]
    card = card_of(*places, tmp_path)
    assert named in card.text
    assert hashlib.sha256((EMBEDDED_MODEL / "model.safetensors").read_bytes()).hexdigest() in card.text
    assert (card.data.base_model, card.data.datasets, card.data.license) == (None, None, "apache-2.0")
    for place in ("embedded", "private"):
        assert place not in str(card)


def test_a_card_names_what_is_on_the_hub_by_its_address(tmp_path):
    card = card_of("someone/model@1234abc", "someone/charts@5678def", tmp_path)
    assert (card.data.base_model, card.data.datasets) == ("someone/model", ["someone/charts"])
    assert card.data.eval_results[0].dataset_type == "someone/charts"
    assert "revision 1234abc" in card.text
    assert "someone/charts@5678def" in card.text
