"""The peak of a block is seen, and what came before it is not."""

import torch

from helpers.memory import measure_peak_memory


def test_peak_of_resident_memory_sees_a_short_allocation():
    with measure_peak_memory() as idle:
        pass
    with measure_peak_memory() as memory:
        block = torch.ones(50_000_000)  # 200 MB, touched
        del block
    assert 150e6 < memory.peak_bytes - idle.peak_bytes < 300e6
