"""What ``auto`` comes to: how many examples at once, and whether with checkpointing, by a dry run and this machine's memory."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, partial

from datasets import Dataset
from peft import LoraConfig

from helpers.memory.dry_run import estimate_training_memory
from helpers.memory.examples import largest_example, repeated
from helpers.memory.generation import estimate_generation_memory, estimate_scoring_memory
from helpers.memory.weights import stored_as
from helpers.models import Hardware

MOST = 32  # examples at once: larger batches were measured on no card
_CONTEXT = 1e9  # bytes of a GPU that CUDA itself and its operators' workspaces take, at most
_FRAGMENTATION = 1.25  # torch's allocator took up to 24 % more of a GPU than the tensors that were in it
_AS_ASKED = "as the profile asks"


class NoRoomError(ValueError):
    """Not even the smallest choice fits this machine. The message says what was looked at and what to do."""


def choose_batch(
    config,
    processor,
    rows: Dataset,
    hardware: Hardware,
    precision: str,
    quantization: str = "none",
    *,
    batch_size: int | str,
    checkpointing: bool | str,
    lora: LoraConfig | None,
    examples: int | None = None,
    frozen_vision: bool = False,
    models: int = 1,
) -> tuple[int, int, bool, str]:
    """(batch size, accumulation, checkpointing, reason) of a training here; what isn't ``"auto"`` stays as it is given.

    ``batch_size``: ``"auto"`` is the largest that divides ``examples``, at most ``MOST``. ``examples``: what an optimizer step
    learns from, by default one batch; the batch size times the accumulation is exactly that. ``checkpointing``: ``"auto"`` is
    on only if nothing fits without it. ``rows``, ``processor``: the largest of the rows (:func:`largest_example`) stands for
    all; a larger one in a later batch may not fit. ``config``, ``lora``, ``frozen_vision``: of the dry run. ``precision``,
    ``quantization``: as :func:`helpers.models.load_model` takes them; beside quantized weights 16 bits are assumed. ``models``:
    that are in memory, the trained one included.

    NoRoomError if not even the smallest batch fits; ValueError if ``batch_size`` is ``"auto"`` and ``examples`` isn't given, or
    doesn't divide them.
    """
    if examples is None and batch_size == "auto":
        raise ValueError("batch_size is 'auto': say in examples what an optimizer step learns from, which it must not change")
    examples = examples or batch_size
    if batch_size != "auto" and examples % batch_size:
        raise ValueError(
            f"no batches of {batch_size} come to exactly {examples} examples, from which an optimizer step learns: give a "
            f"batch_size that divides {examples}, or 'auto'"
        )
    if "auto" not in (batch_size, checkpointing):
        return batch_size, examples // batch_size, checkpointing, _AS_ASKED
    sizes, ways = [batch_size], [checkpointing]
    if batch_size == "auto":
        sizes = [size for size in range(1, min(examples, MOST) + 1) if examples % size == 0]
    if checkpointing == "auto":
        ways = [False, True]
    example = largest_example(rows, processor)

    @cache
    def needed(size: int, *, way: bool) -> int:  # a second or two with a model of two billion parameters
        step = estimate_training_memory(
            config, lora=lora, precision=stored_as(precision, quantization), batch=repeated(example, size),
            activation_checkpointing=way, frozen_vision=frozen_vision,
        )  # fmt: skip
        return step.total + (models - 1) * step.weights

    def said(size: int, tried: list[bool]) -> str:
        first, *then = [f"{_bytes(needed(size, way=way))} {'with' if way else 'without'}" for way in tried]
        return ", ".join([f"{first} checkpointing", *then])

    for at, way in enumerate(ways):
        fitting = bisect_right(sizes, room_for_tensors(hardware), key=partial(needed, way=way))
        if fitting:
            size = sizes[fitting - 1]
            return size, examples // size, way, f"{said(size, ways[: at + 1])}; {_has(hardware)}"
    many = "one example" if sizes[0] == 1 else f"{sizes[0]} examples at once"
    smaller = ["a smaller batch"] if sizes[0] > 1 else []
    smaller += ["ACTIVATION_CHECKPOINTING=auto"] if ways == [False] else []
    raise NoRoomError(f"{many} would take {said(sizes[0], ways)}; {_has(hardware)}. {_remedies(quantization, smaller)}")


def choose_eval_batch(
    config,
    processor,
    rows: Dataset,
    hardware: Hardware,
    precision: str,
    quantization: str = "none",
    *,
    batch_size: int | str,
    sizes: Sequence[int] = tuple(2**power for power in range(MOST.bit_length())),
    new_tokens: int = 16,
    scored: int = 0,
    models: int = 1,
) -> tuple[int, str]:
    """(questions that are answered at once, reason): ``batch_size``, or for ``"auto"`` the largest of ``sizes`` that fits.

    ``sizes``: rising, by default powers of two. ``new_tokens``: of an answer, at most. ``scored``: sequences of an example
    whose every token gets logits at once, which may take more: 1 where a trainer looks at its validation loss, 2 for pairs.
    The rest as for :func:`choose_batch`.

    NoRoomError if not even the smallest of ``sizes`` fits.
    """
    if batch_size != "auto":
        return batch_size, _AS_ASKED
    example, stored = largest_example(rows, processor), stored_as(precision, quantization)

    @cache
    def needed(size: int) -> int:
        batch = repeated(example, size)
        works = [estimate_generation_memory(config, precision=stored, batch=batch, new_tokens=new_tokens)]
        if scored:
            works.append(estimate_scoring_memory(config, repeated(batch, scored), precision=stored))
        return max(work.total for work in works) + (models - 1) * works[0].weights

    fitting = bisect_right(sizes, room_for_tensors(hardware), key=needed)
    if not fitting:
        many, smaller = ("one question", []) if sizes[0] == 1 else (f"{sizes[0]} questions at once", ["fewer at once"])
        raise NoRoomError(f"{many} would take {_bytes(needed(sizes[0]))}; {_has(hardware)}. {_remedies(quantization, smaller)}")
    size = sizes[fitting - 1]
    return size, f"{_bytes(needed(size))} at the peak; {_has(hardware)}"


def room_for_tensors(hardware: Hardware) -> float:
    """Bytes that a dry run may come to: of a GPU what its context and fragmentation leave; of a computer's own memory, in
    which the system, Python and the data are too, half."""
    if hardware.device == "cpu":
        return hardware.memory_bytes / 2
    return max(0, hardware.memory_bytes - _CONTEXT) / _FRAGMENTATION


def _has(hardware: Hardware) -> str:
    what = "computer" if hardware.device == "cpu" else "card"
    return f"this {what} has {_bytes(hardware.memory_bytes)}, of which tensors may take {_bytes(room_for_tensors(hardware))}"


def _remedies(quantization: str, smaller: list[str]) -> str:
    if quantization == "none":
        smaller = [*smaller, "QUANTIZATION=4bit"]
    ways = ", ".join([*smaller, "smaller pictures (docs/your_model.md), a smaller MODEL, or a machine with more memory"])
    return f"Try {ways}. What is given in place of auto is tried without a dry run"


def _bytes(size: float) -> str:
    unit, name = (1e9, "GB") if size >= 1e9 else (1e6, "MB")
    return f"{size / unit:.0f} {name}" if size >= 10 * unit else f"{size / unit:.1f} {name}"
