"""Build the course's own Python environment in ``.venv``. Needs nothing but Python, so that it runs on a fresh machine.

``requirements.lock`` serves as pip's *constraints*, not as its list: only what ``pyproject.toml`` asks for is installed,
in the locked versions, so that CPU-only wheels of torch don't bring CUDA's libraries along.
"""

from __future__ import annotations  # an older Python must live to see the message that it is too old

import hashlib
import os
import shutil
import subprocess
import sys

from helpers.paths import CACHE, ROOT

VENV = ROOT / ".venv"
_IN_VENV = "Scripts/python.exe" if os.name == "nt" else "bin/python"
PYTHON = VENV / _IN_VENV
INSTRUCTOR = CACHE / "instructor"
INSTRUCTOR_PYTHON = INSTRUCTOR / _IN_VENV
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
    if index or not _has_pip():  # another kind of torch, or what an interrupted set-up left: start afresh
        shutil.rmtree(VENV, ignore_errors=True)
        if subprocess.run([sys.executable, "-m", "venv", str(VENV)]).returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            raise SystemExit("this Python can't make a virtual environment. On Debian or Ubuntu: sudo apt install python3-venv")
    install = [str(PYTHON), "-m", "pip", "install", "--no-cache-dir", "-c", str(ROOT / "requirements.lock")]
    if index:  # that index has torch, but not all that torch depends on: the second call brings the rest
        _run([*install, "--no-deps", "--index-url", index, "torch", "torchvision"])
    _run([*install, "--editable", f"{ROOT}[dev,serving,site,tiny]"])
    _STAMP.write_text(wanted)


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
    _run([str(PYTHON), "-m", "venv", str(INSTRUCTOR)])
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
    _run([*pip, *extra])
    stamp.write_text(wanted, encoding="utf-8")


def _has_pip() -> bool:
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True).returncode == 0


def _run(command: list[str]) -> None:
    if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL if os.environ.get("CI") else None).returncode:
        raise SystemExit(
            "pip could not install the course's packages: its message is above. Mend that, then the same command again."
        )


def use_caches() -> None:
    """Set :func:`caches` for this process and its children, and make the folders: libraries warn of one that is missing."""
    os.environ.update(caches())
    for name, value in caches().items():
        if name.endswith(("HOME", "DIR")):
            os.makedirs(value, exist_ok=True)


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
        "PYTHONUTF8": "1",  # what our own children print is read as UTF-8, whatever the locale
        "TOKENIZERS_PARALLELISM": "false",  # the processor's tokenizer would warn at every fork
        # tqdm misses ipywidgets, whose state would end up in the notebooks; TRL 1.16 itself calls a name that is going away.
        "PYTHONWARNINGS": "ignore:IProgress not found,ignore:`is_gradient_checkpointing`",
    }
