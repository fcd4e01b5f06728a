"""Which training fits which GPU: from three dry runs of a method to every batch size and number of image tiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from helpers.memory.dry_run import estimate_steps
from helpers.models import in_processes

_TILES = 9, 17  # far enough from none for activations to make the peak


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes at the peak of a training step, by batch size and image tiles.

    While activations make the peak, that is a straight line: ``fixed``, and for every example ``per_example`` and for each
    of its tiles ``per_tile``. ``floor``: what the optimizer's step takes with no activations at all.
    """

    floor: float
    fixed: float
    per_example: float
    per_tile: float

    def total(self, batch_size: float, image_tiles: int) -> float:
        return max(self.floor, self.fixed + batch_size * (self.per_example + image_tiles * self.per_tile))

    def largest_batch(self, memory: float, image_tiles: int) -> int:
        """The most examples that fit ``memory`` bytes; 0 if not even one does."""
        if memory < self.total(1, image_tiles):
            return 0
        return int((memory - self.fixed) // (self.per_example + image_tiles * self.per_tile))


def plan_memory(config, **settings) -> MemoryPlan:
    """The plan from three dry runs: one example of 9 tiles, one of 17, two of 17.

    ``settings``: those of :func:`helpers.memory.estimate_training_memory`, without batch size and tiles. Attention without
    score matrices makes activations proportional to the tokens. Where the peak lies in another moment of the step, the plan is
    too low: near ``floor`` by some per cent, and with one tile, where the text's logits make the peak, by up to a fifth (seen
    on the embedded model). Ask a dry run of its own there.
    """
    few, many = _TILES
    one, tiled, two = estimate_steps(config, [(1, few), (1, many), (2, many)], **settings)
    per_tile = (tiled.total - one.total) / (many - few)
    per_example = two.total - tiled.total - many * per_tile
    gradients = one.adapters if settings.get("lora") else one.weights
    floor = one.weights + one.adapters + one.optimizer + gradients
    return MemoryPlan(floor, tiled.total - per_example - many * per_tile, per_example, per_tile)


def plan_methods(config, methods: Mapping[str, Mapping]) -> dict[str, MemoryPlan]:
    """:func:`plan_memory` with each method's settings, a process for every core: a dry run is Python, and uses only one."""
    jobs = [partial(plan_memory, config, **settings) for settings in methods.values()]
    return dict(zip(methods, in_processes(jobs, "dry runs", "method"), strict=True))


def what_fits(plans: Mapping[str, MemoryPlan], gpu_gb: float, image_tiles: int, spare_gb: float = 1.5) -> pd.DataFrame:
    """The largest batch of each method on a GPU of ``gpu_gb``, for pictures of ``image_tiles``.

    ``spare_gb``: kept free for what a dry run leaves out (CUDA's context, fragmentation, workspaces). ValueError if that
    leaves nothing.
    """
    if gpu_gb <= spare_gb:
        raise ValueError(
            f"a GPU of {gpu_gb} GB with {spare_gb} GB to spare leaves nothing: give more GB, or a smaller spare_gb"
        )
    rows = []
    for method, plan in plans.items():
        size = plan.largest_batch(1e9 * (gpu_gb - spare_gb), image_tiles)
        taken = plan.total(max(size, 1), image_tiles) / 1e9
        rows.append({"method": method, "largest batch": size, "GB": taken, "fits": "yes" if size else "not even one example"})
    return pd.DataFrame(rows)
