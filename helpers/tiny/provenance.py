"""Which code measured something, when, and on which machine."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from helpers.models import detect
from helpers.paths import ROOT


def measured_by() -> dict[str, str]:
    """``commit`` (with ``+`` where files have changed since, "unknown" outside a repository), ``date`` and ``machine``."""
    named, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    commit = named + ("+" if changed else "") if named else "unknown"
    hardware = detect()
    gpu = f"{hardware.name}, " if hardware.device == "cuda" else ""
    machine = f"{gpu}{os.cpu_count()} cores of {processor_name()}, {platform.system()}"
    return {"commit": commit, "date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace")
    except OSError:  # no git on this machine
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def processor_name() -> str:
    """The processor's name as Linux tells it; elsewhere its kind."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.machine()
