"""The command for a rented machine: what it says, what it refuses, and that the command line's own dry run accepts it."""

import os
import re
import runpy
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from helpers.course import UsageError, job_command, jobs, run_job
from helpers.paths import ROOT

FORK = {"repository": "https://example.org/me/course", "revision": "abc123"}


def value(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


def test_the_command_says_what_where_and_how_long():
    command = job_command("04", profile="t4", flavor="t4-small", timeout="90m", settings={"SEED": 1}, **FORK)
    assert command[:4] == ["hf", "jobs", "uv", "run"]
    assert (value(command, "--flavor"), value(command, "--timeout")) == ("t4-small", "90m")
    script = command.index(str(jobs.SCRIPT))
    assert command[script + 1] == "04_sft_chartqa"
    assert value(command, "--repository") == FORK["repository"]
    assert value(command, "--revision") == FORK["revision"]
    assert value(command, "--profile") == "t4"
    assert "SEED=1" in command
    assert "TRACKING=trackio" in command
    assert script > command.index("--timeout"), "what comes after the script belongs to the script"


def test_only_a_job_that_pushes_is_given_the_token_and_only_by_name(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    assert "--secrets" not in job_command("04", **FORK)
    command = job_command("04", push_to="me/adapter", **FORK)
    assert value(command, "--secrets") == "HF_TOKEN"
    assert value(command, "--push-to") == "me/adapter"
    assert "hf_planted" not in " ".join(command)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lesson": "99"}, "no lesson is called '99'"),
        ({"profile": "huge"}, "no profile is called 'huge'"),
        ({"timeout": "3 hours"}, "such as 90m"),
        ({"settings": {"MAX_STEP": 1}}, "Did you mean MAX_STEPS"),
        ({"repository": None}, r"give repository='https://"),
    ],
)
def test_bad_usage_says_what_is_possible(monkeypatch, arguments, words):
    monkeypatch.setattr(jobs, "course_address", lambda: "")
    with pytest.raises(UsageError, match=words):
        job_command(**({"lesson": "04"} | FORK | arguments))


def test_the_revision_is_what_is_checked_out(monkeypatch, tmp_path):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    if head.returncode:
        pytest.skip("this copy of the course is no git checkout")
    assert value(job_command("04", repository="https://example.org/me/course"), "--revision") == head.stdout.strip()
    monkeypatch.setattr(jobs, "ROOT", tmp_path)
    with pytest.raises(UsageError, match="give revision="):
        jobs.checked_out()


def test_the_command_lines_own_dry_run_takes_it_without_token_or_network(monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    printed = run_job(job_command("04", timeout="90m", **FORK))
    assert "(dry run) Job not submitted." in printed
    assert re.search(r"flavor\s+l4x1", printed)
    assert re.search(r"timeout\s+90m", printed)
    assert "04_sft_chartqa --profile gpu --repository https://example.org/me/course --revision abc123" in printed


def test_nothing_is_sent_without_submit(monkeypatch):
    sent = []
    monkeypatch.setattr(jobs, "run_command", lambda *words: sent.append(words) or "")
    command = job_command("04", **FORK)
    run_job(command)
    assert "--dry-run" in sent[-1]
    run_job(command, submit=True)
    assert list(sent[-1]) == command


def test_the_script_pins_what_the_lock_pins():
    assert jobs.SCRIPT.read_text(encoding="utf-8").startswith(jobs.pinned_header()), "run: python -m helpers.course.jobs"
    block = re.findall(r'^#     "(.*)",$', jobs.pinned_header(), re.MULTILINE)
    names = {Requirement(line).name for line in block}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {Requirement(line).name for line in wanted} <= names
    loose = [line for line in block if "==" not in line]
    assert {Requirement(line).name for line in loose} <= {"trackio"}, "an extra that `make` doesn't install isn't locked"


def test_writing_the_header_twice_changes_nothing(tmp_path):
    copy = tmp_path / "script.py"
    copy.write_text(jobs.SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    jobs.write_header(copy)
    jobs.write_header(copy)
    assert copy.read_text(encoding="utf-8") == jobs.SCRIPT.read_text(encoding="utf-8")


@pytest.fixture
def course(tmp_path):
    """A git repository whose `python -m helpers run` writes down what it was asked, and fails if told to."""
    repository = tmp_path / "repository"
    (repository / "helpers").mkdir(parents=True)
    (repository / "helpers" / "__init__.py").touch()
    (repository / "helpers" / "__main__.py").write_text(
        "import json, os, sys, pathlib\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1]); out.mkdir()\n"
        "(out / 'results.json').write_text(json.dumps([sys.argv[1:], os.environ['TRACKIO_DIR']]))\n"
        "sys.exit(1 if 'SEED=13' in sys.argv else 0)\n"
    )
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "course"]):
        subprocess.run([*git, *words], cwd=repository, check=True)
    return repository


def test_the_script_fetches_the_course_and_runs_the_lesson(course, tmp_path):
    work = tmp_path / "machine"
    work.mkdir()
    words = ["04_sft_chartqa", "--repository", str(course), "--revision", "main", "--set"]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    for seed, code in ((0, 0), (13, 1)):
        done = subprocess.run([sys.executable, str(jobs.SCRIPT), *words, f"SEED={seed}"], cwd=work, env=environment)
        assert done.returncode == code
        asked = (work / "out" / "results.json").read_text()
        assert '"run", "04_sft_chartqa", "--profile", "gpu"' in asked
        assert f"SEED={seed}" in asked
        assert str(work / "out" / "trackio") in asked
        subprocess.run(["rm", "-rf", "out", "course"], cwd=work, check=True)


def test_what_is_pushed_leaves_checkpoints_and_merged_models_out(monkeypatch, tmp_path):
    import huggingface_hub

    calls = []

    class Hub:
        def create_repo(self, name, **settings):
            calls.append((name, settings))

        def upload_folder(self, **settings):
            calls.append(settings)

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    runpy.run_path(str(jobs.SCRIPT))["push"](tmp_path, "04_sft_chartqa", "me/adapter")
    assert calls[0] == ("me/adapter", {"private": True, "exist_ok": True})
    kept = huggingface_hub.utils.filter_repo_objects(
        [
            "04_sft_chartqa.ipynb", "results.json", "04_sft_chartqa/adapter/adapter_model.safetensors", "trackio/course.db",
            "04_sft_chartqa/merged/model.safetensors", "04_sft_chartqa/checkpoints/checkpoint-1/optimizer.pt",
        ],
        allow_patterns=calls[1]["allow_patterns"],
    )  # fmt: skip
    assert len(list(kept)) == 4
