"""Where things are: the repository, the embedded model and data, and the folder that a run writes to."""

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


def resolve(path: str | Path) -> Path:
    """A relative path counts from the repository root, wherever the notebook runs; an absolute one stays as it is."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else ROOT / path


def output_folder(profile: str) -> Path:
    """``$COURSE_OUT`` if set, else ``runs/<profile>`` in the repository; made if missing."""
    folder = resolve(os.environ.get("COURSE_OUT") or f"runs/{profile}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
