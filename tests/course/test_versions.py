"""The API drift gate on the lowest versions that pyproject.toml allows and on the newest released ones.

The other libraries stay those of this environment: only signatures are read, nothing is trained.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.course import colab
from helpers.paths import ROOT
from tests.course.api_calls import LIBRARIES

UV = Path(sys.executable).with_name("uv")
SWAPPED = {name.replace("_", "-") for name in LIBRARIES} - {"bitsandbytes"} | {"tokenizers", "safetensors"}


def uv(*words, folder: Path) -> None:
    done = subprocess.run([UV, "pip", *map(str, words)], cwd=folder, capture_output=True, text=True)
    if re.search(r"error sending request|[Ff]ailed to fetch|dns error|Connect", done.stderr):
        pytest.skip("no package index can be reached: there are no other versions to check")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
def test_every_call_fits_these_versions_too(tmp_path, resolution, capsys):
    (tmp_path / "wanted.in").write_text("\n".join(colab.requirements()))
    options = ("--resolution", resolution, "--python-version", f"{sys.version_info[0]}.{sys.version_info[1]}", "--no-annotate")
    uv("compile", "wanted.in", *options, "--no-header", "-o", "all.txt", folder=tmp_path)
    lines = [line for line in (tmp_path / "all.txt").read_text().splitlines() if line.split("==")[0] in SWAPPED]
    assert len(lines) >= 5
    (tmp_path / "swapped.txt").write_text("\n".join(lines))
    uv("install", "--no-deps", "--target", "site", "--python", sys.executable, "-r", "swapped.txt", folder=tmp_path)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path / "site"), str(ROOT)))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.course.api_calls"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    with capsys.disabled():
        print(f"\n{resolution}: {', '.join(lines)}: {done.stdout}")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
