"""Measure what the course claims about its own speed and memory: ratios within one run, into ``runs/bench.json``."""

import json
import os
import re
import statistics
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from tqdm.auto import tqdm
from trl import SFTConfig

from helpers.course.profiles import load_profile
from helpers.course.runner import run
from helpers.data import FEATURES, load_chartqa
from helpers.evaluation import KeptFeatures, WithOtherCharts, generate_answers
from helpers.lora import text_layers
from helpers.models import SHORT_ANSWER, chat, load_model, load_processor
from helpers.paths import NOTEBOOKS, resolve
from helpers.training import as_conversations, command_settings, run_command, save_conversations, write_settings

CHARTQA_TRAIN_ROWS = 28_299
_DISTINCT_PICTURES, _LIST_ROWS = 300, 500
_STEPS, _ROWS, _REPEATS = 60, 640, 3
_BATCH = 64  # questions answered at once


def bench() -> dict[str, float]:
    """Run all measurements, print them, write them to ``runs/bench.json`` and return them."""
    figures = answer_speedups()
    figures |= format_memory()
    figures["lesson_over_cli_seconds"] = lesson_over_cli()
    path = resolve("runs/bench.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    for name, value in figures.items():
        print(f"{name:28} {value:.3g}")
    return figures


def answer_speedups() -> dict[str, float]:
    """Seconds of a plain loop over seconds of ``generate_answers``, on ChartQA-mini's test: four questions about each chart.

    ``answer_speedup``: one call. ``features_kept_speedup``: the three that lesson 04 makes, base and tuned model on the right
    charts and the tuned one on wrong ones, with the features kept. The tuned model is the base with an adapter that has not
    been trained: as much work, and the same answers. RuntimeError if an answer differs.
    """
    processor, rows = load_processor("embedded"), load_chartqa("embedded", "test")
    base = load_model("embedded").eval()
    lora = LoraConfig(r=16, target_modules=text_layers("embedded"), task_type="CAUSAL_LM")
    tuned = get_peft_model(load_model("embedded"), lora).eval()
    calls = [(base, rows), (tuned, rows), (tuned, WithOtherCharts(rows))]
    for ask in (plain_answers, generate_answers):  # warm up
        ask(base, processor, rows.select(range(8)))
    plain, once, kept, features = [], 0.0, 0.0, KeptFeatures()
    for number, (model, asked) in enumerate(calls):
        seconds, wanted = _timed(plain_answers, model, processor, asked)
        plain.append(seconds)
        if number == 0:
            once, found = _timed(generate_answers, model, processor, asked, batch_size=_BATCH)
            _same(wanted, found)
        seconds, found = _timed(generate_answers, model, processor, asked, batch_size=_BATCH, kept=features)
        _same(wanted, found)
        kept += seconds
    return {"answer_speedup": plain[0] / once, "features_kept_speedup": sum(plain) / kept}


@torch.inference_mode()
def plain_answers(model, processor, rows) -> list[str]:
    """Processor and ``generate``, batch after batch: what one writes first."""
    answers = []
    for start in range(0, len(rows), _BATCH):
        batch = [rows[at] for at in range(start, min(start + _BATCH, len(rows)))]
        texts = [processor.apply_chat_template(chat(row["query"], SHORT_ANSWER), add_generation_prompt=True) for row in batch]
        inputs = processor(
            text=texts, images=[[row["image"]] for row in batch], padding=True, padding_side="left", return_tensors="pt",
            add_special_tokens=False,
        )  # fmt: skip
        written = model.generate(**inputs, do_sample=False, max_new_tokens=16)
        answers += processor.batch_decode(written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return [answer.strip() for answer in answers]


def _timed(ask, *args, **settings) -> tuple[float, list[str]]:
    began = time.perf_counter()
    answers = ask(*args, **settings)
    return time.perf_counter() - began, answers


def _same(wanted: list[str], found: list[str]) -> None:
    if differ := sum(one != other for one, other in zip(wanted, found, strict=True)):
        raise RuntimeError(f"{differ} of {len(wanted)} answers differ from the plain loop's")


def format_memory() -> dict[str, float]:
    """Anonymous memory (MB) that formatting ChartQA's 28,299 rows adds, beside what a list of decoded pictures would take.

    The rows repeat a few hundred drawn charts of ChartQA's usual size, 850 x 600. The list is measured on 500 rows and
    scaled: an estimate. Each side runs in a process of its own, so that neither sees the other's memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = str(_many_charts(Path(folder)))
        os.environ["HF_DATASETS_CACHE"] = str(Path(folder) / "arrow")  # for the new processes: gone with the folder
        try:
            with get_context("spawn").Pool(1) as pool:
                added = pool.apply(_format_all, (path,))
            with get_context("spawn").Pool(1) as pool:
                listed = pool.apply(_list_some, (path,))
        finally:
            del os.environ["HF_DATASETS_CACHE"]
    return {"format_added_mb": added, "format_list_mb_estimate": listed * CHARTQA_TRAIN_ROWS / _LIST_ROWS}


def _many_charts(folder: Path) -> Path:
    from helpers.tiny import draw, invented_chart, png_bytes

    rng = np.random.default_rng(0)
    pictures = [png_bytes(draw(invented_chart(rng)[0], rng).resize((850, 600))) for _ in range(_DISTINCT_PICTURES)]

    def rows():
        for at in range(CHARTQA_TRAIN_ROWS):
            picture = {"bytes": pictures[at % len(pictures)], "path": None}
            yield {"image": picture, "query": f"question {at}?", "label": [str(at)], "human_or_machine": 1}

    Dataset.from_generator(rows, features=FEATURES, cache_dir=str(folder / "cache")).to_parquet(folder / "train.parquet")
    return folder


def anonymous_mb() -> float:
    """Memory of this process that no file backs: on Linux RssAnon, elsewhere the unique set size."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read_text())[1]) * 1024 / 1e6
    return psutil.Process().memory_full_info().uss / 1e6


def _format_all(path: str) -> float:
    before, peak = anonymous_mb(), 0.0
    rows = load_chartqa(path, "train").with_transform(as_conversations)
    for at in tqdm(range(0, len(rows), 16), desc="formatting", unit="batch"):
        _ = rows[at : at + 16]
        peak = max(peak, anonymous_mb())
    return peak - before


def _list_some(path: str) -> float:
    rows = load_chartqa(path, "train", _LIST_ROWS)
    before = anonymous_mb()
    kept = [row["image"] for row in rows]
    for image in kept:
        image.load()
    return anonymous_mb() - before


def lesson_over_cli() -> float:
    """Median training time of lesson 04 over that of ``trl sft`` on the same rows and seed, three runs each in turn.

    Both make the same steps with the same losses. The lesson is quicker in two things. It looks at each chart once
    (``look_once``: 439 looks instead of 960). And it loads faster: ChartQA-mini's pictures have palettes, and as they are saved
    for the command (``save_conversations``: upright RGB, as any reader takes them) they have 13 kB instead of 5, and take
    3.8 ms of a core to open instead of 0.8 (192 pictures, one run). How much of a step that is depends on the machine's cores.
    """
    profile = load_profile("tiny")
    settings = {"MAX_STEPS": _STEPS, "EVAL_STEPS": _STEPS, "N_TRAIN": _ROWS, "N_VAL": 32, "N_TEST": 32}
    times: dict[str, list[float]] = {"lesson": [], "cli": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = _cli_config(folder, profile | settings)
        for _ in range(_REPEATS):
            if run(["04"], "tiny", settings, str(folder / "lesson"), NOTEBOOKS):
                raise RuntimeError("lesson 04 failed; its message is above")
            log = [json.loads(line) for line in (folder / "lesson/04_sft_chartqa/log.jsonl").read_text().splitlines()]
            times["lesson"].append(next(row["train_runtime"] for row in log if "train_runtime" in row))
            times["cli"].append(_cli_seconds(config))
    print(times)
    return statistics.median(times["lesson"]) / statistics.median(times["cli"])


def _cli_config(folder: Path, values: dict) -> Path:
    for split, name, count in (("train", "train", values["N_TRAIN"]), ("val", "test", values["N_VAL"])):
        save_conversations(load_chartqa("embedded", split, count, seed=values["SEED"]), folder / f"data/{name}.parquet")
    config = SFTConfig(
        output_dir=str(folder / "cli"), max_steps=_STEPS, per_device_train_batch_size=values["BATCH_SIZE"],
        gradient_accumulation_steps=values["GRADIENT_ACCUMULATION"], activation_checkpointing=False,
        learning_rate=values["LEARNING_RATE"], lr_scheduler_type="cosine", warmup_steps=0.1, bf16=False, use_cpu=True,
        max_length=None, logging_steps=_STEPS // 5, eval_strategy="steps", eval_steps=_STEPS,
        per_device_eval_batch_size=values["EVAL_BATCH_SIZE"], save_strategy="steps", save_steps=_STEPS,
        report_to="none", seed=values["SEED"], data_seed=values["SEED"],
    )  # fmt: skip
    lora = LoraConfig(
        r=values["LORA_RANK"], lora_alpha=2 * values["LORA_RANK"], lora_dropout=0.0, task_type="CAUSAL_LM",
        target_modules=text_layers("embedded"),
    )  # fmt: skip
    return write_settings(folder / "sft.yaml", command_settings(config, lora, "embedded", folder / "data"))


def _cli_seconds(config: Path) -> float:
    printed = run_command("trl", "sft", "--config", config, HF_HUB_OFFLINE="1")
    return float(re.search(r"'train_runtime': '?([\d.]+)", printed)[1])
