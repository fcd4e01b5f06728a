"""Where things are: the repository, the embedded model and data, the folder that a run writes to, and the libraries' caches."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PROFILES = NOTEBOOKS / "profiles"
MEASURED = NOTEBOOKS / "measured"  # what was measured and is committed: a file for each command that writes one
EMBEDDED = ROOT / "helpers" / "embedded"
EMBEDDED_MODEL = EMBEDDED / "tiny_smolvlm"
EMBEDDED_CHARTQA = EMBEDDED / "chartqa_mini"
EMBEDDED_PREFERENCES = EMBEDDED / "preferences"
CACHE = ROOT / ".cache"
UV_CACHE = CACHE / "uv"


def resolve(path: str | Path) -> Path:
    """A relative path counts from the repository root, wherever the notebook runs; an absolute one stays as it is."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else ROOT / path


def output_folder(profile: str) -> Path:
    """``$COURSE_OUT`` if set, else ``runs/<profile>`` in the repository; made if missing."""
    folder = resolve(os.environ.get("COURSE_OUT") or f"runs/{profile}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
        "UV_CACHE_DIR": str(UV_CACHE),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONUTF8": "1",  # what our own children print is read as UTF-8, whatever the locale
        "TOKENIZERS_PARALLELISM": "false",  # the processor's tokenizer would warn at every fork
        # tqdm misses ipywidgets, whose state would end up in the notebooks; TRL 1.16 itself calls a name that is going away.
        "PYTHONWARNINGS": "ignore:IProgress not found,ignore:`is_gradient_checkpointing`",
    }
