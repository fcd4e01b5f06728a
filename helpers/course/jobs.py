"""Run a lesson on a rented GPU through Hugging Face Jobs. Nothing is sent, and nothing costs money, without ``submit=True``."""

import re
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from helpers.course.colab import brought_by
from helpers.course.notebooks import UsageError, check_parameters, find_lessons, select_lessons
from helpers.course.profiles import load_profile
from helpers.course.repository import course_address
from helpers.paths import ROOT
from helpers.training import run_command

SCRIPT = ROOT / "helpers" / "course" / "job_script.py"
PYTHON = "3.11"  # the version that the lock was run on


def job_command(
    lesson: str, *, profile: str = "gpu", flavor: str = "l4x1", timeout: str = "3h", repository: str | None = None,
    revision: str | None = None, settings: dict | None = None, push_to: str | None = None,
) -> list[str]:  # fmt: skip
    """The ``hf jobs uv run`` command that runs ``lesson`` (name or number) with the profile's settings.

    ``flavor``: the machine, as ``hf jobs hardware`` lists them with their prices. ``timeout``: when the machine is taken
    away; you pay by the minute until then at most. ``repository``: where git finds the course, by default the address in
    pyproject.toml; ``revision``: by default the commit that is checked out here. ``settings``: parameters of the
    notebook. ``push_to``: owner/name on the hub; only then the job is given your token. UsageError says what is missing.
    """
    chosen = select_lessons([lesson], find_lessons())
    values = check_parameters(settings or {}, chosen)
    try:
        load_profile(profile)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not re.fullmatch(r"\d+[smhd]?", timeout):
        raise UsageError(f"timeout is {timeout!r}; it is a number with s, m, h or d, such as 90m")
    repository = repository or course_address()
    if not repository:
        raise UsageError(
            "the job has to fetch the course from somewhere: give repository='https://...' (your fork), "
            "or set `repository` under [tool.course] in pyproject.toml"
        )
    if "TRACKING" in chosen[0].parameters:
        values = {"TRACKING": "trackio"} | values
    command = ["hf", "jobs", "uv", "run", "--detach", "--flavor", flavor, "--timeout", timeout, "--python", PYTHON]
    if push_to:
        command += ["--secrets", "HF_TOKEN"]  # the name alone: the value is read from your environment, never printed
    command += [str(SCRIPT), chosen[0].name, "--profile", profile]
    command += ["--repository", repository, "--revision", revision or checked_out()]
    command += [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    return command + (["--push-to", push_to] if push_to else [])


def run_job(command: list[str], submit: bool = False) -> str:
    """What the command would send (``--dry-run``: no network, no token needed); with ``submit=True`` it is sent."""
    at = command.index("run") + 1
    return run_command(*command) if submit else run_command(*command[:at], "--dry-run", *command[at:])


def checked_out() -> str:
    """The commit of this checkout. UsageError outside a git checkout."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise UsageError("this copy of the course is no git checkout: give revision='...', a commit or tag of the repository")
    return done.stdout.strip()


def pinned_header() -> str:
    """The script's PEP 723 block: what lessons import, with lesson 09's extra, in the locked versions, and trackio."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    served = [one for line in extras["serving"] for one in brought_by(line)]
    wanted = dict.fromkeys([*project["dependencies"], *served, *extras["tracking"]])
    lock: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            lock.setdefault(Requirement(line).name, []).append(line)
    pins = dict.fromkeys(pin for line in wanted for pin in lock.get(Requirement(line).name.lower(), [line]))
    block = ["# /// script", f'# requires-python = "=={PYTHON}.*"', "# dependencies = ["]
    block += [f'#     "{pin}",' for pin in pins] + ["# ]", "# ///"]
    return "\n".join(block) + "\n"


def write_header(script: Path = SCRIPT) -> None:
    """Put the current :func:`pinned_header` at the top of the script, in place of the old one."""
    body = re.sub(r"\A# /// script\n(#.*\n)*?# ///\n", "", script.read_text(encoding="utf-8"))
    script.write_text(pinned_header() + body, encoding="utf-8")


if __name__ == "__main__":
    write_header()
