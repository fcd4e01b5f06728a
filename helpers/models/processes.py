"""Work for all cores: Python runs on one, so that what is much Python is spread over processes."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

from tqdm.auto import tqdm

from helpers.models.hardware import free_cores


def in_processes(jobs: Sequence[Callable[[], object]], name: str, unit: str, workers: int | None = None) -> list:
    """What each of ``jobs`` returns, in their order, with a progress bar; a process for every core that this one may use, or
    ``workers`` of them.

    New processes, not forks: a fork of a process whose threads have run torch may wait for them for ever. So jobs and their
    results must be picklable (``functools.partial`` of a module's function is).
    """
    workers = workers or min(len(jobs), free_cores())
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(job) for job in jobs]
        return [job.result() for job in tqdm(asked, desc=name, unit=unit)]
