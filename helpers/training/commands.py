"""Run another program of the course's environment, and have its error where one looks for it."""

import os
import subprocess
import sys
from pathlib import Path

from helpers.paths import ROOT


def run_command(*words: str | Path, **environment: str) -> str:
    """Run a program of this Python's environment, such as ``trl``, ``hf`` or ``torchrun``; returns what it printed.

    ``environment``: variables to set. RuntimeError with the end of its output if it fails.
    """
    program = Path(sys.executable).with_name(str(words[0]) + (".exe" if os.name == "nt" else ""))
    command = [str(program if program.exists() else words[0]), *map(str, words[1:])]
    found_by = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # the course, installed or not
    variables = os.environ | {"PYTHONPATH": found_by, "PYTHONUTF8": "1"} | environment
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", env=variables
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout
