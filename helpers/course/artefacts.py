"""What an earlier lesson made: a lesson that starts from it finds it here, or has it made first."""

import subprocess
import sys
from pathlib import Path

from helpers.paths import ROOT, output_folder


def made_by(lesson: str, what: str, profile: str) -> Path:
    """The folder ``what`` ("adapter" or "merged") that ``lesson`` left in this profile's run.

    Where it isn't there, the lesson is run first, with the profile's own values. RuntimeError if that run fails.
    """
    folder = output_folder(profile) / lesson / what
    if not folder.is_dir():
        print(f"this lesson starts from what {lesson} makes, which is not there yet: running that first, headless")
        command = ["-m", "helpers", "run", lesson, "--profile", profile, "--out", str(output_folder(profile))]
        if subprocess.run([sys.executable, *command], cwd=ROOT).returncode:
            raise RuntimeError(f"{lesson} failed. Run it by itself and see why: python {' '.join(command)}")
    return folder
