"""Kill -9 in the middle of lesson 04's training, and of the runner: the next run ends where an uninterrupted one ends."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from helpers.data import load_chartqa
from helpers.training import MARKER

pytestmark = pytest.mark.slow
SETTINGS = {"PROFILE": "tiny", "N_TRAIN": 64, "N_VAL": 8, "N_TEST": 8, "MAX_STEPS": 24, "EVAL_STEPS": 3, "BATCH_SIZE": 4}
KILLS, INSIDE_SAVING, RUNNER_KILLS = 20, 5, 4


def train(out: Path, **more) -> subprocess.Popen:
    settings = SETTINGS | {"EVAL_BATCH_SIZE": 8} | more
    environment = os.environ | {"COURSE_OUT": str(out), "PARAMETERS": json.dumps(settings), "OMP_NUM_THREADS": "1"}
    with open(out / "output.txt", "a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.notebooks.lesson_training"], env=environment, stdout=log, stderr=log
        )


def losses(out: Path) -> dict[tuple[str, int], float]:
    """Every training and validation loss that the lesson wrote down, by its kind and step."""
    rows = map(json.loads, (out / "04_sft_chartqa" / "log.jsonl").read_text().splitlines())
    return {(kind, row["step"]): row[kind] for row in rows for kind in ("loss", "eval_loss") if kind in row}


def unfinished(out: Path) -> bool:
    """Whether a checkpoint is being written: its folder is there and its marker is not. The last one never gets a marker."""
    folders = (out / "04_sft_chartqa" / "checkpoints").glob("checkpoint-*")
    return any(not (folder / MARKER).exists() for folder in folders if folder.name != f"checkpoint-{SETTINGS['MAX_STEPS']}")


def markers(out: Path) -> set[tuple[str, int]]:
    return {(str(path), path.stat().st_mtime_ns) for path in out.glob(f"**/{MARKER}")}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("uninterrupted")
    assert train(out).wait() == 0, (out / "output.txt").read_text()[-3000:]
    return losses(out)


def worst(found, wanted) -> float:
    assert found.keys() == wanted.keys()
    return max(abs(found[key] - wanted[key]) for key in wanted)


def test_a_training_that_is_killed_again_and_again_ends_like_one_that_was_not(uninterrupted, tmp_path, capsys):
    draw, kills, inside, resumed, finished = random.Random(0), 0, 0, 0, []
    while kills < KILLS or inside < INSIDE_SAVING or not finished:
        process = train(tmp_path)
        aim_at_saving = kills % 2 == 0
        began, known = None, markers(tmp_path)
        pause, saves_to_pass = draw.uniform(0, 3), draw.randint(0, 2)
        stop = kills >= KILLS and inside >= INSIDE_SAVING  # enough: let this one run to its end
        while process.poll() is None and not stop:
            if began is None and "it/s" in (tmp_path / "output.txt").read_text():
                began = time.monotonic()  # the progress bar moves: it trains
            if aim_at_saving:
                hit = began and unfinished(tmp_path) and len(markers(tmp_path) - known) >= saves_to_pass
            else:
                hit = began and time.monotonic() - began > pause
            if hit:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                inside += unfinished(tmp_path)
                break
            time.sleep(0.001)
        if process.wait() == 0:
            finished.append(worst(losses(tmp_path), uninterrupted))
            assert not list(tmp_path.glob(f"**/{MARKER}")), "a finished training must be done anew, not gone on from"
        output = (tmp_path / "output.txt").read_text()
        assert "Error" not in output, output[-3000:]
        resumed += "going on from there" in output
        (tmp_path / "output.txt").unlink()
    with capsys.disabled():
        print(f"\n{kills} kills, {inside} inside saving, {resumed} resumed; worst difference of a loss {max(finished):.2g}")
    assert resumed >= KILLS // 2
    assert max(finished) < 1e-4


def test_an_interrupted_training_whose_answers_were_mended_begins_anew_and_says_so(tmp_path):
    out, data = tmp_path / "out", tmp_path / "mine"
    out.mkdir()
    data.mkdir()
    rows = list(load_chartqa("embedded", "train", 120))
    for at, row in enumerate(rows):
        row["image"].save(data / f"{at}.png")

    def write_answers(ending: str) -> None:
        lines = [f'{at}.png,"{row["query"]}","{row["label"][0]}{ending}"' for at, row in enumerate(rows)]
        (data / "questions.csv").write_text("\n".join(["image,question,answer", *lines]) + "\n", encoding="utf-8")

    def killed_or_ended(kill: bool) -> str:
        process = train(out, DATASET=str(data))
        known = markers(out)
        while process.poll() is None:
            if kill and markers(out) - known:
                process.kill()
            time.sleep(0.001)
        assert (process.returncode != 0) == kill, (out / "output.txt").read_text()[-3000:]
        return (out / "output.txt").read_text()

    write_answers("")
    killed_or_ended(kill=True)
    assert "going on from there" in killed_or_ended(kill=True)
    write_answers(" %")
    (out / "output.txt").unlink()
    said = killed_or_ended(kill=False)
    assert "had other settings or other data than this one: beginning anew" in said
    assert "going on from there" not in said
    assert min(step for _, step in losses(out)) <= SETTINGS["EVAL_STEPS"]


def test_a_runner_that_is_killed_leaves_no_kernel_and_is_resumed(uninterrupted, tmp_path, capsys):
    words = [word for name, value in (SETTINGS | {"EVAL_BATCH_SIZE": 8}).items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "helpers", "run", "04", "--profile", "tiny", "--out", str(tmp_path), *words]
    draw = random.Random(1)
    for _ in range(RUNNER_KILLS):
        runner = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        known = markers(tmp_path)
        while not markers(tmp_path) - known:  # until it has saved something
            assert runner.poll() is None, "it ended before it could be killed"
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 1))
        kernels = psutil.Process(runner.pid).children(recursive=True)
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        _, alive = psutil.wait_procs(kernels, timeout=10)
        assert kernels
        assert not alive, "a kernel goes on training without its runner"
    assert subprocess.run(command, capture_output=True).returncode == 0
    notebook = (tmp_path / "04_sft_chartqa.ipynb").read_text()
    with capsys.disabled():
        print(f"\n{RUNNER_KILLS} kills of the runner; worst difference {worst(losses(tmp_path), uninterrupted):.2g}")
    assert "going on from there" in notebook
    assert worst(losses(tmp_path), uninterrupted) < 1e-4
