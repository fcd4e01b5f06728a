"""Build the course's own Python environment in ``.venv``. Needs nothing but Python, so that it runs on a fresh machine.

pip installs uv, and uv the rest: several downloads at a time, and files linked from a cache inside the repository, so that a
``.venv`` that was deleted is back in seconds. Where uv fails (it doesn't read pip's settings, such as those of a mirror), pip
does it all. ``requirements.lock`` serves as *constraints*, not as the list: only what ``pyproject.toml`` asks for is
installed, in the locked versions, so that CPU-only wheels of torch don't bring CUDA's libraries along.
"""

from __future__ import annotations  # an older Python must live to see the message that it is too old

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

from helpers.course.steps import Steps, size_of
from helpers.paths import CACHE, MEASURED, ROOT, UV_CACHE

VENV = ROOT / ".venv"
_IN_VENV = "Scripts/python.exe" if os.name == "nt" else "bin/python"
PYTHON = VENV / _IN_VENV
INSTRUCTOR = CACHE / "instructor"
INSTRUCTOR_PYTHON = INSTRUCTOR / _IN_VENV
_STAMP = VENV / ".installed"
LOG = CACHE / "setup.log"


def ensure() -> None:
    """Make ``.venv`` hold what the lock says; a second call with the same lock returns at once.

    ``$TORCH_INDEX``: a package index to take torch and torchvision from, such as that of PyTorch's CPU-only wheels.
    SystemExit with what to do if this Python doesn't serve or the packages can't be installed.
    """
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise SystemExit(
            f"this is Python {sys.version.split()[0]}; the course needs 3.11, 3.12 or 3.13: make setup PYTHON=python3.12"
        )
    index = os.environ.get("TORCH_INDEX", "")
    wanted = hashlib.sha256(
        (ROOT / "pyproject.toml").read_bytes() + (ROOT / "requirements.lock").read_bytes() + index.encode()
    ).hexdigest()
    if _STAMP.exists() and _STAMP.read_text() == wanted:
        return
    began = time.monotonic()
    print(_outlook(index), flush=True)
    with Steps(LOG) as steps:
        if index or not _has_pip():  # another kind of torch, or what an interrupted set-up left: start afresh
            shutil.rmtree(VENV, ignore_errors=True)
            if not steps.run([sys.executable, "-m", "venv", str(VENV)]):
                shutil.rmtree(VENV, ignore_errors=True)
                raise SystemExit(
                    "this Python can't make a virtual environment. On Debian or Ubuntu: sudo apt install python3-venv"
                )
        by = _install(steps, index)
    _STAMP.write_text(wanted)
    seconds = time.monotonic() - began
    size = size_of(VENV, UV_CACHE)
    (VENV / ".setup.json").write_text(json.dumps({"seconds": round(seconds, 1), "bytes": size, "by": by}))
    print(f"set up in {seconds:.0f} s by {by}; .venv and its cache take {size / 1e9:.1f} GB", flush=True)


def _outlook(index: str) -> str:
    """What a set-up will take, from the one in the README's run, and whether this disk has it."""
    line = "setting up .venv, once"
    try:
        before = json.loads((MEASURED / "results.json").read_text(encoding="utf-8"))["setup"]
    except (OSError, KeyError):
        return line
    if index or sys.platform != "linux":  # that was Linux, with CUDA's libraries
        return f"{line}; Linux with CUDA's libraries takes {before['bytes'] / 1e9:.1f} GB, this takes less"
    line += (
        f": {before['bytes'] / 1e9:.1f} GB on disk, the cache included; it took {before['seconds']:.0f} s in the README's run"
    )
    free = shutil.disk_usage(ROOT).free
    return f"{line}\nonly {free / 1e9:.1f} GB are free here" if free < before["bytes"] and not VENV.exists() else line


def _install(steps: Steps, index: str) -> str:
    """Install all packages; returns which program did it: uv, or pip where uv could not. SystemExit if neither could."""
    pip = [str(PYTHON), "-m", "pip", "install", "--cache-dir", str(CACHE / "pip"), "-c", str(ROOT / "requirements.lock")]
    uv = [str(PYTHON), "-m", "uv", "pip", "install", "--python", str(PYTHON), "-c", str(ROOT / "requirements.lock")]
    if steps.run([*pip, "uv"]):
        if _all_packages(steps, uv, index):
            return "uv"
        print("uv could not install the packages, pip tries it: that takes longer", flush=True)
    if _all_packages(steps, [*pip, "--no-cache-dir"], index):
        return "pip"
    raise SystemExit(f"the course's packages could not be installed. {steps.end()}\nMend that, then the same command again.")


def _all_packages(steps: Steps, install: list[str], index: str) -> bool:
    if index and not steps.run([*install, "--no-deps", "--index-url", index, "torch", "torchvision"]):
        return False  # that index has torch, but not all that torch depends on: the second call brings the rest
    return steps.run([*install, "--editable", f"{ROOT}[dev,serving,site,tiny]"])


def ensure_instructor() -> None:
    """A second environment on top of ``.venv``, with nbgrader, which makes and grades the exercises.

    Not in ``.venv`` itself: nbgrader brings ipywidgets, and the progress bars of every lesson would leave widget state in its
    notebook. SystemExit if pip fails.
    """
    import tomllib  # not at the top: an older Python has none, and must live to see the message above

    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"][
        "instructor"
    ]
    stamp, wanted = INSTRUCTOR / ".installed", "\n".join(extra) + (ROOT / "requirements.lock").read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print("setting up nbgrader, once", flush=True)
    shutil.rmtree(INSTRUCTOR, ignore_errors=True)
    subprocess.run([str(PYTHON), "-m", "venv", str(INSTRUCTOR)], check=True)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    below, own = (
        subprocess.run(
            [str(python), "-X", "utf8", "-c", where], capture_output=True, encoding="utf-8", check=True
        ).stdout.strip()
        for python in (PYTHON, INSTRUCTOR_PYTHON)
    )
    with open(os.path.join(own, "course.pth"), "w", encoding="utf-8") as file:
        file.write(f"import site; site.addsitedir({below!r})\n")
    pip = [str(INSTRUCTOR_PYTHON), "-m", "pip", "install", "--no-cache-dir", "-c", str(ROOT / "requirements.lock")]
    with Steps(LOG) as steps:
        if not steps.run([*pip, *extra]):
            raise SystemExit(f"nbgrader could not be installed. {steps.end()}\nMend that, then the same command again.")
    stamp.write_text(wanted, encoding="utf-8")


def _has_pip() -> bool:
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True).returncode == 0
