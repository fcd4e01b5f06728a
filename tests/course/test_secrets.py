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


def redact_names(monkeypatch, *names: str, value: str = "value-0123456789") -> list[str]:
    """Those of ``names`` whose value is taken for a secret."""
    found = []
    for name in names:
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            found += [name] * (redact(value) == "***")
    return found


def test_names_of_other_services_are_known(monkeypatch):
    names = ["AWS_SECRET_ACCESS_KEY", "KAGGLE_KEY", "WANDB_API_KEY", "APIKEY", "SMTP_PASSWD", "GITHUB_PAT", "hf_token", "KEY"]
    assert redact_names(monkeypatch, *names) == names
    assert redact_names(monkeypatch, "SORT_KEY", "FILE_PAT", value="relaxed_accuracy_of_all") == []


def test_of_a_secret_that_begins_as_another_nothing_is_left(tmp_path, monkeypatch):
    ends = [TOKEN[:at] for at in range(10, len(TOKEN) + 1, 3)]
    for at, end in enumerate(ends):
        monkeypatch.setenv(f"TEST_{at}_TOKEN", end)
    assert redact(" ".join(ends)) == " ".join(["***"] * len(ends))
    (tmp_path / "log.txt").write_text(" ".join(ends))
    redact_files(tmp_path)
    assert (tmp_path / "log.txt").read_text() == " ".join(["***"] * len(ends))


def test_a_password_is_found_however_a_file_writes_it(tmp_path, monkeypatch):
    password = "pa\"ss'w\\ördQmZk799"
    monkeypatch.setenv("DB_PASSWORD", password)
    said = f"{password} and {[password]} and {json.dumps(password)} and {json.dumps([password], ensure_ascii=False)}"
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=said)]
    cells = [nbformat.v4.new_code_cell("print(...)", outputs=outputs)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    (tmp_path / "b.json").write_text(json.dumps({"said": said}))
    redact_files(tmp_path)
    clean = '*** and [\'***\'] and "***" and ["***"]'
    assert redact(said) == clean
    assert "".join(json.loads((tmp_path / "a.ipynb").read_text())["cells"][0]["outputs"][0]["text"]) == clean
    assert json.loads((tmp_path / "b.json").read_text()) == {"said": clean}


@pytest.mark.parametrize("suffix", ["ipynb", "json", "jsonl", "html", "log", "md", "txt", "yaml"])
def test_every_kind_of_text_is_searched(tmp_path, monkeypatch, suffix):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / f"a.{suffix}").write_text(f"my token is {TOKEN}")
    redact_files(tmp_path)
    assert (tmp_path / "below" / f"a.{suffix}").read_text() == "my token is ***"


def test_only_what_is_named_like_a_secret_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    monkeypatch.setenv("SHORT_TOKEN", "tiny")
    monkeypatch.setenv("COURSE_NAME", "not-a-secret-at-all")
    assert redact(f"{TOKEN} 0123456789abcdef tiny not-a-secret-at-all") == "*** *** tiny not-a-secret-at-all"
    assert redact_names(monkeypatch, "PATH", "KEYBOARD", "PATTERN", "MONKEY") == []
    weights = tmp_path / "adapter.safetensors"
    weights.write_bytes(TOKEN.encode())  # by chance or not: what isn't text is never rewritten
    clean = tmp_path / "clean.json"
    clean.write_text("{}")
    before = clean.stat().st_mtime_ns
    redact_files(tmp_path)
    assert weights.read_bytes() == TOKEN.encode()
    assert clean.stat().st_mtime_ns == before
