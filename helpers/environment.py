"""Build the course's own Python environment in ``.venv``. Needs nothing but Python, so that it runs on a fresh machine.

``requirements.lock`` serves as pip's *constraints*, not as its list: only what ``pyproject.toml`` asks for is installed,
in the locked versions, so that CPU-only wheels of torch don't bring CUDA's libraries along.
"""

import hashlib
import os
import subprocess
import sys
import venv

from helpers.paths import CACHE, ROOT

VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
_STAMP = VENV / ".installed"


def ensure() -> None:
    """Make ``.venv`` hold what the lock says; a second call with the same lock returns at once.

    ``$TORCH_INDEX``: a package index to take torch and torchvision from, such as that of PyTorch's CPU-only wheels.
    SystemExit with what to do if this Python doesn't serve or pip fails.
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
    print("setting up .venv: once, a few minutes and some gigabytes (README: how to make it smaller)", flush=True)
    if not PYTHON.exists():
        venv.create(VENV, with_pip=True)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--progress-bar", "on", "-c", str(ROOT / "requirements.lock")]
    if index:
        _pip([*command, "--index-url", index, "torch", "torchvision"])
    _pip([*command, "--editable", f"{ROOT}[dev,tiny]"])
    _STAMP.write_text(wanted)


def _pip(command: list[str]) -> None:
    if subprocess.run(command, cwd=ROOT).returncode:
        raise SystemExit("pip could not install the course's packages; its message is above. Then run the same command again.")


def caches() -> dict[str, str]:
    """Environment variables that keep every cache of a run inside the repository, and telemetry off."""
    return {
        "HF_HOME": str(CACHE / "huggingface"),
        "IPYTHONDIR": str(CACHE / "ipython"),
        "JUPYTER_CONFIG_DIR": str(CACHE / "jupyter" / "config"),
        "JUPYTER_DATA_DIR": str(CACHE / "jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(CACHE / "jupyter" / "runtime"),
        "MPLCONFIGDIR": str(CACHE / "matplotlib"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",  # the processor's tokenizer would warn at every fork
    }
