"""Measure what the course claims about its own speed and memory: ratios within one run, into ``runs/bench.json``."""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import yaml
from datasets import Dataset, Features, Image, List, Value
from tqdm.auto import tqdm

from helpers.data import FEATURES, load_chartqa, to_rgb
from helpers.evaluation import generate_answers
from helpers.models import load_model, load_processor
from helpers.paths import EMBEDDED_MODEL, NOTEBOOKS, resolve
from helpers.profiles import load_profile
from helpers.prompts import SHORT_ANSWER
from helpers.runner import run

CHARTQA_TRAIN_ROWS = 28_299
_DISTINCT_PICTURES, _LIST_ROWS = 300, 500
_STEPS, _ROWS, _REPEATS = 60, 640, 3


def bench() -> dict[str, float]:
    """Run all measurements, print them, write them to ``runs/bench.json`` and return them."""
    figures = {"batched_speedup": batched_speedup()}
    figures |= format_memory()
    figures["lesson_over_cli_seconds"] = lesson_over_cli()
    path = resolve("runs/bench.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    for name, value in figures.items():
        print(f"{name:28} {value:.3g}")
    return figures


def batched_speedup(questions: int = 192) -> float:
    """Seconds one question at a time over seconds in batches of 64, on the same questions."""
    model, processor, rows = load_model("embedded"), load_processor("embedded"), load_chartqa("embedded", "test", questions)
    seconds = {}
    generate_answers(model, processor, rows.select(range(8)))  # warm up
    for size in (64, 1):
        began = time.perf_counter()
        generate_answers(model, processor, rows, batch_size=size)
        seconds[size] = time.perf_counter() - began
    return seconds[1] / seconds[64]


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
    from helpers.tiny.charts import draw, png_bytes
    from helpers.tiny.curriculum import invented_chart

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


def as_conversations(rows: dict) -> dict:
    """ChartQA rows in TRL's prompt and completion layout, pictures in a list as the command line wants them."""
    return {
        "images": [[to_rgb(image)] for image in rows["image"]],
        "prompt": [[{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": q}] for q in rows["query"]],
        "completion": [[{"role": "assistant", "content": label[0]}] for label in rows["label"]],
    }


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
    """Median training time of lesson 04 over that of ``trl sft`` on the same rows and seed, three runs each in turn."""
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
    features = Features(
        images=List(Image()),
        prompt=List({"role": Value("string"), "content": Value("string")}),
        completion=List({"role": Value("string"), "content": Value("string")}),
    )
    (folder / "data").mkdir()
    for split, name, count in (("train", "train", values["N_TRAIN"]), ("val", "test", values["N_VAL"])):
        rows = load_chartqa("embedded", split, count, seed=values["SEED"]).with_transform(as_conversations)
        Dataset.from_list([rows[at] for at in range(len(rows))], features=features).to_parquet(folder / f"data/{name}.parquet")
    config = {
        "model_name_or_path": str(EMBEDDED_MODEL), "dtype": "float32", "dataset_name": str(folder / "data"),
        "output_dir": str(folder / "cli"), "max_steps": _STEPS, "per_device_train_batch_size": values["BATCH_SIZE"],
        "gradient_accumulation_steps": values["GRADIENT_ACCUMULATION"], "activation_checkpointing": False,
        "learning_rate": values["LEARNING_RATE"], "lr_scheduler_type": "cosine", "warmup_steps": 0.1, "bf16": False,
        "use_cpu": True, "max_length": None, "logging_steps": _STEPS // 5, "eval_strategy": "steps", "eval_steps": _STEPS,
        "per_device_eval_batch_size": values["EVAL_BATCH_SIZE"], "save_strategy": "steps", "save_steps": _STEPS,
        "report_to": "none", "seed": values["SEED"], "data_seed": values["SEED"], "use_peft": True,
        "lora_r": values["LORA_RANK"], "lora_alpha": 2 * values["LORA_RANK"], "lora_dropout": 0.0,
        "lora_target_modules": [r".*text_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"],
    }  # fmt: skip
    (folder / "sft.yaml").write_text(yaml.safe_dump(config))
    return folder / "sft.yaml"


def _cli_seconds(config: Path) -> float:
    command = [str(Path(sys.executable).with_name("trl")), "sft", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    found = re.search(r"'train_runtime': '?([\d.]+)", done.stdout + done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"trl sft failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return float(found[1])
