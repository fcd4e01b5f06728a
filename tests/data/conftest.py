"""What tests of both kinds of data share."""

from collections.abc import Callable
from pathlib import Path

import datasets
import pytest


@pytest.fixture
def named_or_skipped(capsys) -> Callable[[Callable, Path, str], None]:
    """A check of a loader on twelve rows of which number 6 is bad: it is named, in these words, or skipped and said so."""

    def check(load: Callable, folder: Path, words: str) -> None:
        from helpers.data import BadRowError

        with pytest.raises(BadRowError, match=words) as caught:
            load(folder, "train")
        assert caught.value.row == 6
        assert len(load(folder, "train", on_error="skip")) == 11
        printed = capsys.readouterr().out
        assert "skipped 1 of 12" in printed
        assert "row 6" in printed

    return check


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
