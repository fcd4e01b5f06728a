"""Work for all cores: Python runs on one, so that what is much Python is spread over processes."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

from tqdm.auto import tqdm


def in_processes(jobs: Sequence[Callable[[], object]], name: str, unit: str, workers: int | None = None) -> list:
    """What each of ``jobs`` returns, in their order; a process for every core, or ``workers`` of them, and a progress bar.

    New processes, not forks: a fork of a process whose threads have run torch may wait for them for ever. So jobs and their
    results must be picklable (``functools.partial`` of a module's function is).
    """
    workers = workers or min(len(jobs), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(job) for job in jobs]
        return [job.result() for job in tqdm(asked, desc=name, unit=unit)]
