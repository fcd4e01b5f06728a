"""The peak of a block is seen, and what came before it is not."""

import mmap
import time

from helpers.memory import measure_peak_memory

SIZE = 200_000_000


def test_peak_of_resident_memory_sees_a_short_allocation():
    with measure_peak_memory() as idle:
        pass
    with measure_peak_memory() as memory, mmap.mmap(-1, SIZE) as block:  # new pages, not memory that was freed before
        block.write(b"x" * SIZE)
        time.sleep(0.1)
    assert SIZE <= memory.peak_bytes - idle.peak_bytes < 2.5 * SIZE
    assert memory.what == "resident memory of the process"
