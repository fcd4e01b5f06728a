"""Bytes: a config or a piece of work goes in, a :class:`MemoryBreakdown` or a measured peak comes out.

Quantized bytes of the weights, exactly, tensor by tensor (LLM.int8(), arXiv:2208.07339; NF4, arXiv:2305.14314); a dry run
of a training step, or of answering, on tensors without numbers; the peak of what really ran, and torch's own profiler to
check it against; which training fits which GPU; and what ``auto`` comes to on this machine.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "dry_run": ("estimate_steps", "estimate_training_memory"),
        "generation": ("estimate_generation_memory", "estimate_scoring_memory"),
        "optimizers": ("OPTIMIZERS",),
        "weights": ("FLOATS", "PRECISIONS", "QUANTIZED", "MemoryBreakdown", "stored_as", "weight_bytes"),
        "measure": ("PeakMemory", "free_memory", "measure_peak_memory"),
        "live_tensors": ("LiveTensors",),
        "fit": ("MemoryPlan", "plan_memory", "plan_methods", "what_fits"),
        "examples": ("largest_example", "one_example", "repeated"),
        "choose": ("MOST", "NoRoomError", "choose_batch", "choose_eval_batch", "room_for_tensors"),
        "profiler": ("profile_peak",),
    },
)
