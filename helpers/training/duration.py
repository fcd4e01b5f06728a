"""How long a training will take here, said when it can be known: after its first two steps."""

import time

import torch
from transformers import TrainerCallback


class TellDuration(TrainerCallback):
    """Says it in one line, once in each training, from the first of its processes. The first step warms up; the second one's
    time, its wait for data included, times the steps, or those that are left where it goes on from a checkpoint.

    Looks at the validation loss and checkpoints are not in it. ``price_per_hour``: of the machine; then what that comes to.
    """

    def __init__(self, price_per_hour: float | None = None) -> None:
        self.price_per_hour, self.steps, self.since, self.done_before = price_per_hour, 0, 0.0, 0

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        self.steps, self.done_before = 0, state.global_step  # by the run that this one goes on from

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if self.steps >= 2:
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # the step is over when the GPU is through with it
        now, self.steps = time.perf_counter(), self.steps + 1
        if self.steps == 2 and state.is_world_process_zero:
            print(said(now - self.since, state.max_steps - self.done_before, self.price_per_hour), flush=True)
        self.since = now

    def on_evaluate(self, args, state, control, **kwargs) -> None:
        self.since = time.perf_counter()

    on_save = on_evaluate


def said(step_seconds: float, steps: int, price_per_hour: float | None) -> str:
    """``step_seconds`` times ``steps``, in words."""
    seconds = step_seconds * steps
    money = f", which is {price_per_hour * seconds / 3600:.2f} at {price_per_hour:g} an hour" if price_per_hour else ""
    return (
        f"the second step took {step_seconds:.2f} s: {steps} steps will take about {in_words(seconds)} here{money} "
        "(looks at validation come on top)"
    )


def in_words(seconds: float) -> str:
    """``90 s``, ``12 minutes``, ``2.5 hours``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
