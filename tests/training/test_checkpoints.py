"""A checkpoint counts when its marker is there and its files are what it names; a finished training leaves none."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from peft import LoraConfig
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig

from helpers.training import MARKER, MarkCheckpoints, last_complete_checkpoint, settings_key


class Training:
    """What a trainer does around its callbacks, without training: files first, then ``on_save``."""

    def __init__(self, folder: Path, key: str = "key"):
        self.args, self.marks = SimpleNamespace(output_dir=str(folder)), MarkCheckpoints(key)

    def save(self, step: int, mark: bool = True, last: bool = False) -> Path:
        folder = Path(self.args.output_dir) / f"checkpoint-{step}"
        (folder / "inner").mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(b"x" * 100 * step)
        (folder / "inner" / "rng.pth").write_bytes(b"y" * 10)
        if mark:
            self._call("on_save", step, last)
        return folder

    def end(self, step: int) -> None:
        self._call("on_train_end", step, True)

    def _call(self, event: str, step: int, last: bool) -> None:
        state = SimpleNamespace(is_world_process_zero=True, global_step=step)
        getattr(self.marks, event)(self.args, state, SimpleNamespace(should_training_stop=last))


def test_the_newest_whole_checkpoint_is_found_and_the_others_go(tmp_path, capsys):
    training = Training(tmp_path)
    training.save(5)
    training.save(10)
    training.save(15, mark=False)  # killed while saving
    assert get_last_checkpoint(str(tmp_path)).endswith("checkpoint-15"), "what transformers would resume from"
    assert last_complete_checkpoint(tmp_path, "key") == str(tmp_path / "checkpoint-10")
    assert "going on from there" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-5"]


@pytest.mark.parametrize("damage", ["a file is gone", "a file is shorter", "the marker is half written"])
def test_a_checkpoint_that_is_no_longer_whole_does_not_count(tmp_path, damage):
    training = Training(tmp_path)
    training.save(5)
    folder = training.save(10)
    if damage == "a file is gone":  # killed while an old checkpoint was being deleted
        (folder / "inner" / "rng.pth").unlink()
    elif damage == "a file is shorter":
        (folder / "adapter_model.safetensors").write_bytes(b"x")
    else:
        (folder / MARKER).rename(folder / "complete.part")
    assert last_complete_checkpoint(tmp_path, "key") == str(tmp_path / "checkpoint-5")
    assert not folder.exists()


@pytest.mark.parametrize("marker", ["", "{", "{}", "null", "[]", '{"settings": "key"}', "\xff"])
def test_a_damaged_marker_is_none(tmp_path, marker):
    folder = Training(tmp_path).save(5)
    (folder / MARKER).write_bytes(marker.encode("latin-1"))
    assert last_complete_checkpoint(tmp_path, "key") is None
    assert not folder.exists()


def test_other_settings_and_finished_trainings_begin_anew(tmp_path, capsys):
    training = Training(tmp_path)
    training.save(5)
    assert last_complete_checkpoint(tmp_path, "other") is None
    said = f"an interrupted training in {tmp_path} had other settings or other data than this one: beginning anew\n"
    assert capsys.readouterr().out == said
    assert not list(tmp_path.iterdir())
    training.save(5)
    training.end(10)
    assert last_complete_checkpoint(tmp_path, "key") is None
    assert last_complete_checkpoint(tmp_path / "never", "key") is None
    assert capsys.readouterr().out == ""


def test_the_last_checkpoint_is_not_gone_on_from(tmp_path):
    """Where a training stopped early, going on would train past the stop."""
    training = Training(tmp_path)
    training.save(5)
    training.save(10, last=True)
    assert last_complete_checkpoint(tmp_path, "key") == str(tmp_path / "checkpoint-5")


def test_only_checkpoints_are_deleted(tmp_path):
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "README.md").write_text("a card")
    (tmp_path / "checkpoint-5").write_text("notes")
    assert last_complete_checkpoint(tmp_path, "key") is None
    assert len(list(tmp_path.iterdir())) == 3


def test_other_processes_write_nothing(tmp_path):
    Training(tmp_path).save(5, mark=False)
    state = SimpleNamespace(is_world_process_zero=False, global_step=5)
    MarkCheckpoints("key").on_save(
        SimpleNamespace(output_dir=str(tmp_path)), state, SimpleNamespace(should_training_stop=False)
    )
    assert not (tmp_path / "checkpoint-5" / MARKER).exists()


def test_the_marker_names_files_and_bytes(tmp_path):
    marker = json.loads((Training(tmp_path).save(5) / MARKER).read_text())
    assert marker == {"settings": "key", "bytes": {"adapter_model.safetensors": 500, "inner/rng.pth": 10}}


def test_the_key_follows_the_settings_and_nothing_else(tmp_path):
    def key(rate=1e-3, modules=("q_proj", "v_proj"), model="embedded", folder="here"):
        config = SFTConfig(
            output_dir=str(tmp_path / folder), use_cpu=True, bf16=False, activation_checkpointing=False, learning_rate=rate
        )
        return settings_key(config, LoraConfig(target_modules=list(modules)), model)

    assert key() == key(modules=("v_proj", "q_proj"))
    assert key() == key(folder="there"), "an interrupted run may be moved"
    assert len({key(), key(rate=2e-3), key(modules=("q_proj",)), key(model="mine")}) == 4
