"""Draw the invented charts of the pretraining once, as the model will see them, and keep them on disk."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from helpers.tiny.architecture import PICTURE, build_processor
from helpers.tiny.charts import Chart, draw
from helpers.tiny.curriculum import invented_chart
from helpers.tiny.questions import Words

_CHUNK = 250


@dataclass(frozen=True)
class Drawn:
    """Charts with their pictures. ``pixels``: (charts, 3, 128, 128) uint8, as the processor scales them."""

    pixels: np.ndarray
    charts: list[Chart]
    words: list[Words]


def draw_invented(count: int, seed: int, folder: Path, workers: int) -> Drawn:
    """``count`` charts in chunks, each drawn once and read back from ``folder`` ever after."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"charts_{seed}_{chunk}.npz" for chunk in range(count // _CHUNK)]
    missing = [(path, seed, chunk) for chunk, path in enumerate(paths) if not path.exists()]
    if missing:
        # New processes, not forks: a fork of a process whose threads have run torch may wait for them for ever.
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            for _ in tqdm(pool.map(_draw_chunk, missing), total=len(missing), desc="drawing charts", unit="chunk"):
                pass
    chunks = [np.load(path) for path in paths]
    facts = [fact for chunk in chunks for fact in json.loads(str(chunk["facts"]))]
    return Drawn(
        np.concatenate([chunk["pixels"] for chunk in chunks]),
        [Chart(c["kind"], c["title"], tuple(c["names"]), tuple(c["values"])) for c, _ in facts],
        [Words(**words) for _, words in facts],
    )


def _draw_chunk(job: tuple[Path, int, int]) -> None:
    path, seed, chunk = job
    rng = np.random.default_rng([seed, chunk])
    scale = build_processor().image_processor
    pixels, facts = [], []
    for _ in range(_CHUNK):
        chart, words = invented_chart(rng)
        seen = scale(draw(chart, rng), return_tensors="np")["pixel_values"].reshape(3, PICTURE, PICTURE)
        pixels.append(np.round((seen + 1) * 127.5).astype(np.uint8))
        facts.append((asdict(chart), asdict(words)))
    partial = path.with_suffix(".part.npz")
    np.savez_compressed(partial, pixels=np.stack(pixels), facts=json.dumps(facts))
    partial.replace(path)
