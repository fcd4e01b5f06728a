"""A token in the environment is nowhere in what a run leaves behind, even where a lesson prints its environment."""

import json

import nbformat
import pytest

from helpers.course import redact, redact_files, run
from tests.course.test_runner import PARAMETERS

TOKEN = "hf_plantedQmZk7RwTbX2vLs9DcYhJ4NfGpEaUo"
LEAKS = """
import json, os, sys
from pathlib import Path
from helpers.models import detect
from helpers.paths import output_folder
from helpers.course import record

print("my token is", os.environ["HF_TOKEN"])
print(dict(os.environ), file=sys.stderr)
folder = output_folder(PROFILE) / "01_leaks"
folder.mkdir()
(folder / "log.jsonl").write_text(json.dumps({"authorization": f"Bearer {os.environ['HF_TOKEN']}"}), encoding="utf-8")
record("01_leaks", PROFILE, detect(), {"text": os.environ["HF_TOKEN"], "value": 1})
os.environ["HF_TOKEN"]
"""


def write_lesson(folder, *cells):
    folder.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (PARAMETERS, *cells)])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(notebook, folder / "01_leaks.ipynb")
    return folder


def parts_of_the_token(text: str) -> list[str]:
    """Every stretch of eight characters of the token's secret part that occurs."""
    secret = TOKEN.removeprefix("hf_planted")
    return [secret[at : at + 8] for at in range(len(secret) - 7) if secret[at : at + 8] in text]


@pytest.mark.parametrize("ending", ["", "raise ConnectionError(f\"refused: {os.environ['HF_TOKEN']}\")"], ids=["well", "error"])
def test_no_byte_of_a_token_is_left_in_a_run(tmp_path, monkeypatch, capfd, ending):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    lessons, out = write_lesson(tmp_path / "lessons", LEAKS, ending), tmp_path / "out"
    assert run([], "tiny", {}, str(out), lessons) == (1 if ending else 0)
    written = {path: path.read_text(encoding="utf-8", errors="replace") for path in out.rglob("*") if path.is_file()}
    names = {path.name for path in written}
    assert names >= {"01_leaks.ipynb", "log.jsonl", "results.json"}
    for path, text in written.items():
        assert not parts_of_the_token(text), path
    assert not parts_of_the_token("".join(capfd.readouterr()))
    notebook = next(text for path, text in written.items() if path.suffix == ".ipynb")
    assert "my token is ***" in "".join(str(cell.get("outputs")) for cell in json.loads(notebook)["cells"])


def test_only_what_is_named_like_a_secret_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    monkeypatch.setenv("SHORT_TOKEN", "tiny")
    monkeypatch.setenv("COURSE_NAME", "not-a-secret-at-all")
    assert redact(f"{TOKEN} 0123456789abcdef tiny not-a-secret-at-all") == "*** *** tiny not-a-secret-at-all"
    weights = tmp_path / "adapter.safetensors"
    weights.write_bytes(TOKEN.encode())  # by chance or not: what isn't text is never rewritten
    clean = tmp_path / "clean.json"
    clean.write_text("{}")
    before = clean.stat().st_mtime_ns
    redact_files(tmp_path)
    assert weights.read_bytes() == TOKEN.encode()
    assert clean.stat().st_mtime_ns == before
