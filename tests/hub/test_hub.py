"""Models and data sets of the hub, loaded by the course's own code from a stand-in: as it should be, and with every fault."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.course import load_profile
from helpers.data import load_chartqa
from helpers.hub import DATA_FILES, HubError, explain, fetch
from helpers.models import load_model
from helpers.paths import EMBEDDED_MODEL
from tests.hub.client import HubClient, environment
from tests.hub.files import ROWS, repositories
from tests.hub.stand_in import Fault, Repository, StandInHub

MODEL, DATASET = load_profile("gpu")["MODEL"], load_profile("gpu")["DATASET"]
REPOSITORY = MODEL.partition("@")[0]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the client forks for each load: not on Windows")


@pytest.fixture(scope="module")
def served():
    with StandInHub(repositories()) as hub:
        yield hub


@pytest.fixture(scope="module")
def process(served, tmp_path_factory):
    client = HubClient(served.endpoint, tmp_path_factory.mktemp("home") / "hf")
    yield client
    client.close()


@pytest.fixture
def hub(served):
    served.faults.clear()
    served.requests.clear()
    served.bytes_sent.clear()
    yield served
    served.faults.clear()


@pytest.fixture
def client(process):
    process.forget()
    return process


def test_the_profiles_model_and_data_load_from_the_hub(hub, client, model):
    got = client.load("model", MODEL)
    assert got["named"] == REPOSITORY, "an adapter trained on it must name the hub's model, not a folder of this cache"
    assert got["sum"] == pytest.approx(sum(float(p.detach().double().sum()) for p in model.parameters()))
    assert client.load("processor", MODEL)["class"] == "SmolVLMProcessor"
    for split, count in ROWS.items():
        rows = client.load("data", DATASET, split=split)
        assert (rows["rows"], rows["mode"]) == (count, "RGB")
    asked = [request for request in hub.requests if "/resolve/" in request or "/tree/" in request]
    assert asked
    assert all(name.partition("@")[2] in request for name in (MODEL, DATASET) for request in asked if name[:20] in request)
    assert not any("/main" in request for request in hub.requests)
    # Once more, in 4 bit: a verified commit asks the hub for nothing.
    hub.requests.clear()
    assert client.load("model", MODEL, quantization="4bit")["quantized"]
    assert client.load("data", DATASET, split="train", limit=5)["rows"] == 5
    assert hub.requests == []


def without_template(files: dict[str, bytes]) -> None:
    for name in ("chat_template.jinja", "chat_template.json"):
        files.pop(name, None)


def of_text_alone(files: dict[str, bytes]) -> None:
    files["config.json"] = json.dumps({"model_type": "llama"}).encode()


def of_phi(files: dict[str, bytes]) -> None:
    files["config.json"] = json.dumps({"model_type": "phi4_multimodal"}).encode()


def with_its_own_code(files: dict[str, bytes]) -> None:
    files["config.json"] = json.dumps({"model_type": "brand_new", "auto_map": {"AutoConfig": "x.Y"}}).encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_template, "has no chat template"), (of_text_alone, "takes no pictures"),
        (of_phi, "is no AutoModelForImageTextToText"), (with_its_own_code, "needs code of its own"),
    ],
)  # fmt: skip
def test_an_unusable_model_is_refused_before_its_weights_are_asked_for(served, hub, client, change, reason):
    unusable = Repository.of_folder("models", f"someone/{change.__name__}@{'7' * 40}", EMBEDDED_MODEL)
    change(unusable.files)
    served.repositories.append(unusable)
    for what in ("processor", "model"):
        refused = client.load(what, f"{unusable.name}@{unusable.revision}")
        assert refused["error"] == "ValueError", refused
        assert reason in refused["message"]
        assert "take one that was trained to chat about pictures" in refused["message"]
    assert any("config.json" in request for request in hub.requests)
    assert not any(".safetensors" in request for request in hub.requests)


def test_a_name_without_a_revision_follows_the_main_branch(hub, client):
    assert client.load("processor", REPOSITORY)["class"] == "SmolVLMProcessor"
    assert client.load("data", DATASET.partition("@")[0], split="test")["rows"] == ROWS["test"]


WEIGHTS, TEST_ROWS, ANY = r"GET .*\.safetensors", r"GET .*/test-.*\.parquet", ""
ENDS = {  # fault, what is loaded, the cause that is named, the action that is named
    "401": (Fault(ANY, status=401), "processor", "no public model on the hub (401)", "Check the spelling at https://"),
    "404": (
        Fault(ANY, status=404, headers={"X-Error-Code": "RepoNotFound"}), "data", "no public dataset on the hub (404)",
        "Check the spelling at https://",
    ),
    "404 of the revision": (
        Fault(ANY, status=404, headers={"X-Error-Code": "RevisionNotFound"}), "processor", "has no revision '482adb5",
        "Take one from https://",
    ),
    "403": (Fault(WEIGHTS, status=403), "model", "only for people who accepted its terms", "Accept them at https://"),
    "429 for long": (
        Fault(ANY, status=429, headers={"Retry-After": "7"}), "processor", "too busy", "Run the same command again in a quarter"
    ),
    "503 for long": (Fault(WEIGHTS, status=503), "model", "too busy", "Run the same command again in a quarter of an hour"),
    "503 for long, data": (Fault(TEST_ROWS, status=503), "data", "too busy", "Run the same command again in a quarter"),
    "reset for long": (Fault(WEIGHTS, content="reset"), "model", "broke several times", "Run the same command again where"),
    "damaged weights": (Fault(WEIGHTS, content="damage"), "model", "model.safetensors of Hugging", "run the same command"),
    "damaged rows": (Fault(TEST_ROWS, content="damage"), "data", "is damaged: its sha256 is", "run the same command again"),
}  # fmt: skip


def load(client, what):
    return client.load(what, DATASET, split="test") if what == "data" else client.load(what, MODEL)


@pytest.mark.parametrize("name", ENDS)
def test_a_fault_ends_in_cause_and_action_and_the_next_run_succeeds(hub, client, name):
    fault, what, cause, action = ENDS[name]
    hub.faults = [fault]
    got = load(client, what)
    assert got.get("error") == "HubError", got
    assert cause in got["message"]
    assert action in got["message"]
    assert client.home.exists() or what != "model", "what was finished is kept"
    finished = {path.name for path in client.home.rglob("snapshots/*/*") if path.suffix == ".json"}
    hub.faults = []
    hub.requests.clear()
    assert "error" not in load(client, what)
    assert not [request for request in hub.requests if request.startswith("GET") and Path(request).name in finished]


GOES_ON = {  # faults, what is loaded, the waits that were asked for
    "429": ([Fault("tree", status=429, headers={"Retry-After": "3"}, times=2)], "processor", [4.0, 4.0]),
    "503 of the listing": ([Fault("tree", status=503, headers={"Retry-After": "3"}, times=1)], "data", [4.0]),
    "503 of the file": ([Fault(WEIGHTS, status=503, headers={"Retry-After": "3"}, times=2)], "model", [3, 3]),
    "cut": ([Fault(WEIGHTS, content="cut", times=2)], "model", [1, 1]),
    "reset": ([Fault(TEST_ROWS, content="reset", times=1)], "data", [2]),
}


@pytest.mark.parametrize("name", GOES_ON)
def test_a_fault_that_passes_is_waited_out(hub, client, name):
    faults, what, waits = GOES_ON[name]
    hub.faults = [Fault(**vars(fault)) for fault in faults]
    got = load(client, what)
    assert "error" not in got
    assert got["slept"] == waits
    assert all(fault.times == 0 for fault in hub.faults), "the fault never came"


def test_a_cut_download_is_resumed_not_started_again(hub, client):
    hub.faults = [Fault(WEIGHTS, content="cut", times=1)]
    assert "error" not in client.load("model", MODEL)
    assert len([request for request in hub.requests if request.startswith("GET") and "safetensors" in request]) == 2
    assert hub.bytes_sent["model.safetensors"] < 1.6 * (EMBEDDED_MODEL / "model.safetensors").stat().st_size


def test_damage_on_this_disk_is_noticed_after_the_download_too(hub, client):
    assert "error" not in client.load("model", MODEL)
    weights = next(client.home.rglob("model.safetensors")).resolve()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    got = client.load("model", MODEL)
    assert got["error"] == "HubError"
    assert "is damaged: its sha256 is" in got["message"]
    assert "run the same command again" in got["message"]
    assert "error" not in client.load("model", MODEL)


def test_no_network(hub, client):
    hub.stop()
    try:
        got = client.load("model", MODEL)
        assert got["error"] == "HubError"
        assert (
            f"{hub.endpoint} can't be reached, and {REPOSITORY} is neither a folder here nor whole in the cache"
            in got["message"]
        )
        assert "Check the network, then run the same command again" in got["message"]
    finally:
        hub.start()
    assert "error" not in client.load("model", MODEL)
    assert "error" not in client.load("data", DATASET, split="val")
    hub.stop()
    try:
        warm = [client.load("model", MODEL), client.load("processor", MODEL), client.load("data", DATASET, split="val")]
        assert not any("error" in got or got["slept"] for got in warm)
    finally:
        hub.start()


def test_offline_and_not_in_the_cache():
    """In this process, which the session keeps offline."""
    with pytest.raises(HubError, match="nor in the cache, and HF_HUB_OFFLINE keeps it from being downloaded"):
        fetch("owner/never-cached@" + "0" * 40, "dataset", DATA_FILES)
    with pytest.raises(FileNotFoundError, match="it is embedded, a folder, or a hub id"):
        load_model("smolvlm")
    with pytest.raises(HubError, match="nor in the cache"):
        load_chartqa("owner/never-cached", "train")


def test_a_refused_token_is_named_but_not_shown(monkeypatch):
    from huggingface_hub.errors import HfHubHTTPError

    monkeypatch.setenv("HF_TOKEN", "hf_planted0123456789")
    refusal = SimpleNamespace(status_code=401, headers={}, request=None)
    message = explain(HfHubHTTPError("401", response=refusal), MODEL, "model")
    assert "the hub refused your token" in message
    assert "Unset HF_TOKEN" in message
    assert "planted" not in message


# A disk of a given size for a process of its own, made larger for its second try.
FULL_DISK = """
mount -t tmpfs -o size={small} tmpfs "$HF_HOME" || exit 99
"$PYTHON" -c "$CODE"; first=$?
mount -o remount,size=100m "$HF_HOME"
"$PYTHON" -c "$CODE"; second=$?
echo "exit codes $first $second"
"""
LOAD_WEIGHTS = f"from helpers.hub import fetch; print('loaded', fetch({MODEL!r}, 'model', ('*.safetensors', '*.json')).name)"
LOAD_ROWS = f"from helpers.data import load_chartqa; print('loaded', len(load_chartqa({DATASET!r}, 'train')))"


def can_mount() -> bool:
    return sys.platform == "linux" and shutil.which("unshare") is not None and not subprocess.run(
        ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"], capture_output=True
    ).returncode  # fmt: skip


@pytest.mark.parametrize(("code", "share"), [(LOAD_WEIGHTS, 0.5), (LOAD_ROWS, 1.4)], ids=["download", "Arrow's copy"])
def test_a_full_disk(hub, tmp_path, code, share):
    """A real one: a small tmpfs in a mount namespace. ``share``: its size, as a part of what is downloaded."""
    if not can_mount():
        pytest.skip("this system lets no ordinary process mount a small disk (needs Linux with user namespaces)")
    model, charts = hub.repositories[:2]
    downloaded = len(model.files["model.safetensors"]) if code is LOAD_WEIGHTS else sum(map(len, charts.files.values()))
    env = environment(hub.endpoint, tmp_path) | {"PYTHON": sys.executable, "CODE": code}
    script = FULL_DISK.format(small=int(downloaded * share))
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script], env=env, capture_output=True, text=True, timeout=600)
    assert "exit codes 1 0" in done.stdout, done.stdout + done.stderr
    assert "the disk is full: " in done.stderr
    assert f"MB are left where {tmp_path} is. Make room there, then run the same command again" in done.stderr
    assert done.stdout.count("loaded") == 1


def test_a_full_disk_is_recognised_however_it_is_wrapped():
    for error in (
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("hf_xet: No space left on device (os error 28)"),
    ):
        assert explain(error, MODEL, "model").startswith("the disk is full")
    assert not explain(OSError(errno.EACCES, "denied"), MODEL, "model").startswith("the disk is full")


def test_what_will_be_downloaded_is_said_before(hub, client):
    """Model and data with their bytes, as the hub lists them, and none of what is there already."""
    sizes = client.load("sizes", "", MODEL=MODEL, DATASET=DATASET, PREFERENCES="embedded")
    files = hub.repositories
    weights = sum(
        len(content) for name, content in files[0].files.items() if name.endswith((".safetensors", ".json", ".jinja"))
    )
    tables = sum(map(len, files[1].files.values()))
    assert sizes["bytes"] == {REPOSITORY: pytest.approx(weights, rel=0.01), DATASET.partition("@")[0]: tables}
    assert f"{REPOSITORY} {weights / 1e9:.2f} GB" in sizes["said"]
    assert "GB are free where" in sizes["said"]
    assert not any(request.startswith("GET") and "/resolve/" in request for request in hub.requests), (
        "asking downloaded something"
    )
    assert "error" not in client.load("model", MODEL)
    assert list(client.load("sizes", "", MODEL=MODEL, DATASET=DATASET)["bytes"]) == [DATASET.partition("@")[0]]
    hub.stop()
    try:
        assert client.load("sizes", "", MODEL=MODEL, DATASET=DATASET) == {"bytes": {}, "said": "", "slept": []}
    finally:
        hub.start()


def test_too_small_a_disk_is_said_before(monkeypatch, capsys):
    from helpers.course import downloads

    monkeypatch.setattr(downloads, "missing_bytes", lambda name, kind, files: 9_000_000_000)
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda folder: SimpleNamespace(free=4_000_000_000))
    downloads.say_downloads({"MODEL": MODEL, "DATASET": "embedded"})
    said = capsys.readouterr().out
    assert f"{REPOSITORY} 9.00 GB; 4.0 GB are free" in said
    assert "too little: make room there" in said
