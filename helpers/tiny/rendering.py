"""Draw the invented charts of the pretraining once, as the model will see them, and keep them on disk."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from helpers.models import in_processes
from helpers.tiny.architecture import PICTURE, build_image_processor
from helpers.tiny.charts import Chart, draw
from helpers.tiny.curriculum import invented_chart
from helpers.tiny.questions import Words

CHUNK = 250


@dataclass(frozen=True)
class Drawn:
    """Charts with their pictures. ``pixels``: (charts, 3, 128, 128) uint8, as the processor scales them."""

    pixels: np.ndarray
    charts: list[Chart]
    words: list[Words]


def draw_invented(count: int, seed: int, folder: Path, workers: int) -> Drawn:
    """``count`` charts in chunks, each drawn once and read back from ``folder`` ever after."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"charts_{seed}_{chunk}.npz" for chunk in range(count // CHUNK)]
    missing = [(path, seed, chunk) for chunk, path in enumerate(paths) if not path.exists()]
    if missing:
        in_processes([partial(_draw_chunk, job) for job in missing], "drawing charts", "chunk", workers)
    charts, words = zip(*(pair for chunk in range(len(paths)) for pair in invented_chunk(seed, chunk)), strict=True)
    return Drawn(np.concatenate([np.load(path)["pixels"] for path in paths]), list(charts), list(words))


def invented_chunk(seed: int, chunk: int) -> list[tuple[Chart, Words]]:
    """The charts of one chunk, not drawn yet: what a model pretrained with ``seed`` has seen can be listed in seconds."""
    rng = np.random.default_rng([seed, chunk])
    return [invented_chart(rng) for _ in range(CHUNK)]


def without_pictures(charts: list[tuple[Chart, Words]]) -> Drawn:
    """For what asks for no pixels, as perfect eyes do: all pictures are one grey, and take no memory."""
    grey = np.broadcast_to(np.uint8(128), (len(charts), 3, PICTURE, PICTURE))
    return Drawn(grey, [chart for chart, _ in charts], [words for _, words in charts])


def _draw_chunk(job: tuple[Path, int, int]) -> None:
    path, seed, chunk = job
    torch.set_num_threads(1)  # there is a worker per core already; more threads would wait for one another
    style = np.random.default_rng([seed, chunk, 1])
    scale = build_image_processor()
    pixels = []
    for chart, _ in invented_chunk(seed, chunk):
        seen = scale(draw(chart, style), return_tensors="np")["pixel_values"].reshape(3, PICTURE, PICTURE)
        pixels.append(np.round((seen + 1) * 127.5).astype(np.uint8))
    partial = path.with_suffix(".part.npz")
    np.savez_compressed(partial, pixels=np.stack(pixels))
    partial.replace(path)
