"""The doctor's table: all that a bug report needs, nothing that it mustn't hold, and no illness that it dies of."""

import pytest

from helpers.__main__ import main
from helpers.course import NAMES, doctor, load_profile
from helpers.paths import EMBEDDED_MODEL
from tests.hub.stand_in import Repository, StandInHub

TOKEN = "hf_plantedQmZk7RwTbX2vLs9DcYhJ4NfGpEaUo"


@pytest.fixture
def online(monkeypatch):
    """A hub that has the profiles' model, at an address with a password in it."""
    from huggingface_hub import constants

    with StandInHub([Repository.of_folder("models", load_profile("gpu")["MODEL"], EMBEDDED_MODEL)]) as hub:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def test_the_command_prints_the_table_and_no_secret(online, capsys):
    assert main(["doctor"]) == 0
    table = capsys.readouterr().out
    assert max(map(len, table.splitlines())) < 160
    rows = ("python ", "torch ", "transformers ", "device ", "precision ", "main memory ", "disk ", "cache ", "auto ")
    for words in (*rows, *NAMES):
        assert any(line.startswith(f"  {words}") for line in table.splitlines()), words
    assert f"{online.endpoint} serves the profiles' model" in table
    assert "token              set (not shown here)" in table
    assert TOKEN[10:] not in table
    assert not any("uthorization" in header for header in online.headers), "the token was sent"
    assert load_profile("gpu")["MODEL"].partition("@")[0] in table
    assert "make setup" not in table, "the tests' own environment is within the ranges"


def test_what_is_broken_is_a_line_of_the_table(online, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(doctor, "version", lambda name: "0.0.1" if name == "trl" else "999")
    monkeypatch.setattr("helpers.models.detect", lambda *_: 1 / 0)
    monkeypatch.setattr(constants, "ENDPOINT", "http://user:password@127.0.0.1:9")
    table = doctor.examine()
    assert "! 0.0.1, the course needs >=1.10: make setup" in table
    assert table.count("ZeroDivisionError") == 2
    assert "http://127.0.0.1:9 ! not reached: " in table
    assert "password" not in table


def test_a_macs_gpu_is_named_with_the_reason_why_it_is_left_aside(online, monkeypatch):
    import torch

    assert "Mac" not in doctor.examine()
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    table = doctor.examine()
    assert "a Mac's GPU        left aside by DEVICE=auto: people report losses that stay stuck" in table
    assert "device             mps" not in table


def test_a_hub_without_the_model_and_a_session_that_is_offline(online, monkeypatch):
    from huggingface_hub import constants

    online.repositories.clear()
    assert "! answers, but not with the profiles' model: 401" in doctor.examine()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    online.requests.clear()
    assert "not asked: HF_HUB_OFFLINE is set" in doctor.examine()
    assert online.requests == []
