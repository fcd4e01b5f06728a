"""Checkpoints that survive a kill: a marker, written last, says that one is whole and whose it is.

transformers goes on from the checkpoint with the highest number, finished or not, whatever settings it was made with.
"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from transformers import TrainerCallback
from transformers.trainer_callback import TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

MARKER = "complete.json"


_PLACES = ("output_dir", "base_model_name_or_path")  # where things lie: a folder may move while a training is interrupted


def settings_key(*settings) -> str:
    """A short text that differs when settings do: configs (anything with ``to_dict``), or plain values.

    Give it all that a training follows from: its configuration and the adapter's, the model's name, the chat template, and the
    data's content (:func:`helpers.training.data_fingerprint`), not its name or size.
    """
    plain = [_without_places(value.to_dict()) if hasattr(value, "to_dict") else value for value in settings]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=_sorted_text).encode()).hexdigest()[:16]


def _without_places(config: dict) -> dict:
    # Nor does it matter how many processes load the data.
    return {name: value for name, value in config.items() if name not in _PLACES and not name.startswith("dataloader_")}


def _sorted_text(value) -> str:
    return repr(sorted(map(str, value))) if isinstance(value, set) else str(value)


class MarkCheckpoints(TrainerCallback):
    """Writes a marker into each checkpoint when all its other files are there; removes the markers when training ends.

    So only an interrupted training leaves something to go on from: a training that was finished is done anew. The marker
    holds every file's size, for a kill may also fall into the deletion of an old checkpoint. The last checkpoint gets no
    marker: where training stops early, going on from it would train past the stop.
    """

    def __init__(self, key: str):
        self.key = key

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if state.is_world_process_zero and not control.should_training_stop:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            marker = {"settings": self.key, "bytes": _sizes(folder)}
            (folder / "complete.part").write_text(json.dumps(marker), encoding="utf-8")
            os.replace(folder / "complete.part", folder / MARKER)  # there at once and as a whole, or not at all

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs):
        if state.is_world_process_zero:
            for marker in Path(args.output_dir).glob(f"checkpoint-*/{MARKER}"):
                marker.unlink()


def last_complete_checkpoint(folder: Path, key: str) -> str | None:
    """The newest whole checkpoint in ``folder`` of a training with these settings; None if there is none.

    All others are deleted: unfinished ones, and those of a finished training or of other settings or data. Says what it found.
    """
    whole, other = {}, 0
    for path in Path(folder).glob("checkpoint-*"):
        if not path.is_dir():
            continue
        found = _key_of(path)
        if found == key:
            whole[int(path.name.rpartition("-")[2])] = path
        elif re.fullmatch(r"checkpoint-\d+", path.name):
            other += found is not None
            shutil.rmtree(path)
    if not whole:
        if other:
            print(f"an interrupted training in {folder} had other settings or other data than this one: beginning anew")
        return None
    print(f"an interrupted training left {whole[max(whole)]}: going on from there. To begin anew, delete {folder}")
    return str(whole[max(whole)])


def _key_of(path: Path) -> str | None:
    """The settings' key of a checkpoint that is whole; None for any other, also where its marker is damaged."""
    try:
        marker = json.loads((path / MARKER).read_text(encoding="utf-8"))
        return marker["settings"] if _sizes(path) == marker["bytes"] else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file of a checkpoint but the marker, by its path in it."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("complete."))
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(files)}
