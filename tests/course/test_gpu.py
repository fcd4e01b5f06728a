"""``make gpu`` without a GPU: it says so; and its very functions, small, on the CPU, so that nothing is first run on a GPU."""

import json
import math
import os
import time
from types import SimpleNamespace

import psutil
import pytest
import torch

from helpers.course import check_value, gpu_check, gpu_lessons, gpu_model, gpu_peaks, gpu_speed, kinds, load_profile, use_gpu
from helpers.data import load_chartqa
from helpers.lora import count_parameters
from helpers.models import Hardware, count_image_tokens, detect, load_config, load_model, load_processor

CARD = Hardware("cuda", "a card", 24_000_000_000, True)
OLD_CARD = Hardware("cuda", "an old card", 16_000_000_000, False)
CPU = Hardware("cpu", "no card", 16_000_000_000, False)
SMALL = (gpu_peaks.Setting("LoRA, checkpointing", 2, True), gpu_peaks.Setting("LoRA", 2, False))


@pytest.mark.skipif(detect().device == "cuda", reason="there is a GPU here: make gpu would really run")
def test_without_a_gpu_it_is_skipped_with_one_sentence(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_check, "MEASURED", tmp_path / "gpu.json")
    assert use_gpu() == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert not (tmp_path / "gpu.json").exists()


def test_its_processor_cuts_pictures_as_the_released_one_does():
    config, processor = load_config("SmolVLM2-2.2B"), gpu_model.processor_like("SmolVLM2-2.2B")
    row = load_chartqa("embedded", "train", 1)[0]
    chart = row["image"].resize((850, 600))
    batch = processor(text=["<image>"], images=[[chart]], return_tensors="pt")
    counted = count_image_tokens(850, 600, "SmolVLM2-2.2B")
    assert batch["pixel_values"].shape[1:] == (
        counted.tiles,
        3,
        config.vision_config.image_size,
        config.vision_config.image_size,
    )
    assert int((batch["input_ids"] == processor.image_token_id).sum()) == counted.image_tokens


def test_the_model_is_made_once_and_whole(tmp_path):
    folder = gpu_model.random_model("embedded", tmp_path / "model")
    (tmp_path / "model.part").mkdir()
    made = (folder / "model.safetensors").stat().st_mtime_ns
    assert gpu_model.random_model("embedded", tmp_path / "model") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == made
    model, embedded = load_model(str(folder), "float32"), load_model("embedded", "float32")
    assert {n: p.shape for n, p in model.named_parameters()} == {n: p.shape for n, p in embedded.named_parameters()}
    assert not all(p.equal(q) for p, q in zip(model.parameters(), embedded.parameters(), strict=True))
    assert load_processor(str(folder)).image_seq_len == 64


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The command's own report on the CPU: two settings, a training of four steps; ``trl sft`` and lessons run elsewhere."""
    folder = tmp_path_factory.mktemp("gpu")
    lesson = gpu_lessons.chosen_lessons(False, ("gpu",))[0]
    said = {"trainable_parameters": count_parameters("embedded", gpu_check.lesson_lora("embedded")).trainable}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_check, "run_on_gpu", lambda *given: said)
        patch.setattr(gpu_check, "measured_by", lambda: {"commit": "a commit", "machine": "a machine"})
        patch.setattr(gpu_check, "measure_trl", lambda *given: 3.0)  # a process of its own: the slow test starts it
        few = load_profile("gpu") | {"BATCH_SIZE": 2, "GRADIENT_ACCUMULATION": 1}
        patch.setattr(gpu_check, "load_profile", lambda name: few)
        found = gpu_check.examine_gpu(CPU, folder, "embedded", [lesson], architecture="embedded", settings=SMALL, steps=4)
    return folder, found


def test_the_stages_measure_what_the_table_says(report):
    _, found = report
    steps = [row for name, row in found["stages"].items() if name.startswith("steps")]
    assert [row["name"] for row in steps] == [setting.name for setting in SMALL]
    assert all(abs(row["dry_run_error"]) <= gpu_check.DRY_RUN_TOLERANCE for row in steps), steps
    assert steps[0]["peak_gb"] < steps[1]["peak_gb"], "checkpointing saved nothing"
    speed = found["stages"]["speed: lesson 04 and the card"] | found["stages"]["speed: trl sft"]
    assert all(math.isfinite(value) and value > 0 for name, value in speed.items() if name != "data_wait_share")
    assert 0 <= speed["data_wait_share"] < 1
    what = [row["what"] for row in found["bounds"]]
    assert len(what) == 2 + 2 + 3
    assert found["left"] == []
    text = gpu_check.table(found)
    assert all(words in text for words in (*what, "no card", "trl", "dry run"))
    assert json.loads(json.dumps(found)) == found


ENDS, BEGINS = [10.0, 14.0, 18.0, 25.0], [0.0, 12.0, 14.5, 20.0]  # of four steps; the first two warm up


class PlantedTrainer:
    """Takes the times above for its four steps, and six seconds to copy their batches."""

    copied, model = 6.0, None
    state = SimpleNamespace(log_history=[{"loss": 1.0}, {"train_samples_per_second": 3.0}])

    def __init__(self, *, callbacks, **settings):
        self.times = callbacks[0]

    def train(self):
        self.times.begins, self.times.ends = BEGINS, ENDS


def test_the_speed_is_that_of_the_planted_times(monkeypatch, tmp_path):
    planted = {"TimedTrainer": PlantedTrainer, "load_model": lambda *given: None, "without_gradient": lambda model: None}
    for name, stand_in in planted.items():
        monkeypatch.setattr(gpu_speed, name, stand_in)
    monkeypatch.setattr(gpu_speed, "_step_alone", lambda trainer, accumulation: {4: 0.5}[accumulation])
    plan = gpu_speed.Plan("embedded", "float32", "cpu", load_profile("gpu"), 2, 4, False, 0, steps=4)
    rows = SimpleNamespace(with_transform=lambda transform: None)
    figures = gpu_speed.measure_speed(plan, None, rows, tmp_path)
    assert figures.pop("lesson_peak_gb") > 0
    assert figures == pytest.approx({
        "lesson": 2 * 4 * 2 / (4 + 7), "lesson_with_start": 3.0, "card_alone": 2 * 4 / 0.5,
        "data_wait_share": (0.5 + 2) / (4 + 7), "copy_seconds": 6 / 4,
    })  # fmt: skip


def clock_of(*seconds: float) -> SimpleNamespace:
    """In place of ``time``: what is timed takes these seconds, one after the other."""
    readings = iter([at for start, took in enumerate(seconds) for at in (1000.0 * start, 1000.0 * start + took)])
    return SimpleNamespace(perf_counter=lambda: next(readings))


def test_the_card_alone_is_the_mean_of_its_steps_after_the_first(monkeypatch):
    steps, nothing = [], lambda: None
    trainer = SimpleNamespace(
        model=SimpleNamespace(train=lambda: "the model"), args=SimpleNamespace(device=torch.device("cpu")),
        get_train_dataloader=lambda: [{"labels": torch.tensor([[-100, 3, 4]])}] * 5, _prepare_inputs=lambda batch: batch,
        training_step=lambda model, batch, trained: steps.append(trained),
        optimizer=SimpleNamespace(step=nothing, zero_grad=nothing),
    )  # fmt: skip
    monkeypatch.setattr(gpu_speed, "time", clock_of(100, 1, 2, 6))
    assert gpu_speed._step_alone(trainer, accumulation=2) == pytest.approx(3)
    assert steps == [4] * 8, "two batches a step, and the tokens of both"


def test_the_seconds_of_a_step_are_the_median_after_the_first(monkeypatch):
    batch = gpu_peaks.one_batch(load_processor("embedded"), load_chartqa("embedded", "train", 1)[0], 1)
    monkeypatch.setattr(gpu_peaks, "time", clock_of(100, 1, 9, 2))
    taken = gpu_peaks._real_steps(load_model("embedded", "float32"), "embedded", SMALL[1], batch)
    assert taken["step_seconds"] == pytest.approx(2)


def test_what_is_done_is_kept_and_another_card_begins_anew(report, monkeypatch):
    folder, found = report
    monkeypatch.setattr(gpu_check, "measured_by", lambda: {"commit": "a commit", "machine": "a machine"})

    def again(*given):
        raise AssertionError("this stage was done already")

    for name in ("measure_steps", "measure_speed", "measure_trl", "run_on_gpu"):
        monkeypatch.setattr(gpu_check, name, again)
    lessons = gpu_lessons.chosen_lessons(False, ("gpu",))[:1]
    small = {"architecture": "embedded", "settings": SMALL, "steps": 4}
    assert gpu_check.examine_gpu(CPU, folder, "embedded", lessons, **small)["stages"] == found["stages"]
    other = Hardware("cpu", "another card", 1, False)
    left = gpu_check.examine_gpu(other, folder, "embedded", lessons, **small, deadline=time.monotonic())
    assert left["stages"] == {}
    assert len(left["left"]) == 5
    assert "time was up before: steps: LoRA, checkpointing;" in gpu_check.table(left)


def test_a_stage_that_failed_is_tried_again_and_one_without_time_is_left(tmp_path):
    def late():
        raise TimeoutError

    kept = gpu_check.Kept(tmp_path / "kept.json", {"commit": "abc"})
    stages = {"lesson: a of t4": lambda: {"failed": "cell 3"}, "lesson: b of t4": late, "steps: c": lambda: 1 / 0}
    assert kept.run(stages, float("inf")) == ["lesson: b of t4"]
    assert kept.figures["steps: c"] == {"failed": "ZeroDivisionError: division by zero"}
    rows = gpu_check.bounds({"stages": kept.figures}, 0)
    assert [(row["what"], row["holds"]) for row in rows] == [("a of t4 ends", False), ("c ends", False)]
    again = gpu_check.Kept(tmp_path / "kept.json", {"commit": "abc"})
    assert again.run({"lesson: a of t4": lambda: {"seconds": 1}}, float("inf")) == []
    assert again.figures["lesson: a of t4"] == {"seconds": 1}


@pytest.mark.parametrize("commit", ["abc+", "unknown"])
def test_nothing_is_kept_where_the_files_may_have_changed_since(tmp_path, commit):
    for seen in (1, 2):
        kept = gpu_check.Kept(tmp_path / "kept.json", {"commit": commit})
        assert kept.run({"steps: x": lambda seen=seen: {"seen": seen}}, float("inf")) == []
        assert kept.figures == {"steps: x": {"seen": seen}}


def test_each_bound_can_fail():
    speed = {"lesson": 7.0, "lesson_with_start": 3.0, "card_alone": 10.0, "trl": 2.0, "data_wait_share": 0.2}
    stages = {"steps: x": {"dry_run_error": 0.02}, "speed: y": speed}
    assert [row["holds"] for row in gpu_check.bounds({"stages": stages}, 0)] == [False] * 4
    stages = {"steps: x": {"dry_run_error": -0.005}, "speed: y": speed | {"lesson": 8.5, "trl": 1.5, "data_wait_share": 0.05}}
    assert [row["holds"] for row in gpu_check.bounds({"stages": stages}, 0)] == [True] * 4
    for profile, figures, holds in (
        ("gpu", {"trainable_parameters": 5}, True),
        ("gpu", {"trainable_parameters": 6}, False),
        ("tiny", {"base_relaxed_accuracy": 0.28, "sft_relaxed_accuracy": 0.9}, True),
        ("tiny", {"base_relaxed_accuracy": 0.28, "sft_relaxed_accuracy": 0.5}, False),
    ):
        assert gpu_lessons.lesson_bounds(profile, "04_sft_chartqa", figures, 5)[-1]["holds"] is holds


def test_a_setting_that_does_not_fit_the_card_is_said_and_not_tried(tmp_path):
    model = str(gpu_model.random_model("embedded", tmp_path / "model", precision="float32"))
    row = load_chartqa("embedded", "train", 1)[0]
    small = Hardware("cpu", "a small card", 20_000_000, False)
    figures = gpu_peaks.measure_steps(model, load_processor(model), row, SMALL[1], "float32", small)
    assert "peak_gb" not in figures
    report = {"card": "x", "memory_gb": 0, "precision": "", "date": "", "commit": "", "bounds": [], "left": []}
    assert "too large for this card" in gpu_check.table(report | {"stages": {"steps: LoRA": figures}})
    assert gpu_check.bounds({"stages": {"steps: LoRA": figures}}, 0) == []


def test_what_runs_on_which_card():
    assert [(profile, lesson.name[:2]) for profile, lesson in gpu_check.chosen(CARD, False)] == list(gpu_lessons.SHORT)
    assert [(profile, lesson.name[:2]) for profile, lesson in gpu_check.chosen(OLD_CARD, False)] == [
        ("t4", "04"),
        ("tiny", "04"),
    ]
    everything = gpu_check.chosen(CARD, True)
    assert len(everything) == 3 * len({lesson.name for _, lesson in everything})
    assert not any(lesson.name.startswith("bonus") for _, lesson in everything)


def test_the_few_steps_are_parameters_of_the_lessons():
    parameters = {name for _, lesson in gpu_check.chosen(CARD, True) for name in lesson.parameters}
    for name, value in gpu_lessons.FEW.items():
        assert name in parameters & set(kinds())
        check_value(name, value)
    many = {name for name, value in load_profile("gpu").items() if type(value) is int and value > 16}
    assert many - set(gpu_lessons.FEW) <= {"DESCRIPTION_TOKENS"}, "what a profile has many of, the GPU is asked for few of"
    profile, lesson = gpu_check.chosen(CARD, False)[0]
    assert gpu_lessons.settings_of(profile, lesson, "folder", "data")["MODEL"] == "folder"
    assert gpu_lessons.settings_of("tiny", lesson, "folder", "data") == {"DEVICE": "auto", "N_WORKERS": "auto"}


def test_a_lesson_that_fails_or_takes_too_long_says_so(tmp_path):
    profile, lesson = "tiny", gpu_lessons.chosen_lessons(False, ("gpu",))[0][1]
    with pytest.raises(TimeoutError, match="04_sft_chartqa of tiny"):
        gpu_lessons.run_on_gpu(profile, lesson, {}, tmp_path, 0.1)
    failed = gpu_lessons.run_on_gpu(profile, lesson, {"N_TEST": 1}, tmp_path, 600)
    assert "exit 2" in failed["failed"]
    assert "N_TEST" in (tmp_path / "tiny" / "04_sft_chartqa.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
def test_a_lesson_out_of_time_ends_with_all_that_it_started(tmp_path, monkeypatch):
    """What a kernel started would go on computing beside the next stage."""
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\nsh -c 'sleep 60 & echo $! > {tmp_path}/pid; wait' &\nwait\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(gpu_lessons, "sys", SimpleNamespace(executable=str(stand_in)))
    with pytest.raises(TimeoutError):
        gpu_lessons.run_on_gpu("tiny", gpu_lessons.chosen_lessons(False, ("gpu",))[0][1], {}, tmp_path, 2)
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_all_of_it_on_the_cpu(tmp_path, monkeypatch):
    """Everything that ``make gpu`` does, its lessons too, with the embedded model's architecture."""
    monkeypatch.setitem(gpu_lessons.FEW, "N_TRAIN", 16)
    lessons = [one for one in gpu_check.chosen(CARD, False) if one[0] != "tiny"]
    found = gpu_check.examine_gpu(
        CPU, tmp_path, "embedded", lessons, architecture="embedded", settings=gpu_peaks.SETTINGS[:2], steps=3
    )
    ended = [row for row in found["bounds"] if row["what"].startswith("0")]
    assert len(ended) == 5
    assert all(row["holds"] for row in ended), ended
    assert found["left"] == []
