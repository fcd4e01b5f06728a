"""What the first cell of every lesson does. Only the standard library: on Colab nothing else of the course is there yet.

Where everything is installed, it only imports bitsandbytes. On Colab and Kaggle it installs what is missing, says
beforehand what that upgrades and whether the session has to be restarted, and keeps the runtime's own torch, torchvision
and numpy.
"""

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("torch", "torchvision", "numpy")  # made for the runtime's drivers, and loaded before any cell runs
NOT_HOSTED = ("jupyterlab",)  # a hosted notebook has a front end of its own


def prepare(*extras: str) -> None:
    """Make this session ready for the course, or say in one sentence what to do. A second call does nothing.

    ``extras``: of pyproject.toml, which this lesson needs beside what all of them do.

    bitsandbytes is kept quiet from here on: on a CPU with AVX512-BF16 it warns at its import that it could be faster with
    kernels from the hub, and then of every 8-bit multiplication that it casts to float16. It is imported here,
    before others do it: see ``_import_bitsandbytes``.

    ModuleNotFoundError on a machine of your own, where nothing is installed unasked; RuntimeError if pip can't, or if the
    session has to be restarted before the next cell.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    lacking = unmet(requirements(*extras))
    if not lacking:
        _import_bitsandbytes()
        return
    if home() == "local":
        raise ModuleNotFoundError(
            f"this kernel lacks {', '.join(lacking)}: run `make setup` and pick the kernel of .venv (README)"
        )
    changes = plan(lacking)
    print(describe(changes))
    loaded = already_loaded(changes)
    if loaded:
        print(f"{', '.join(loaded)} of these are loaded already: when pip is done, restart the session once and run all cells")
    pip("install", "--quiet", *lacking)
    if loaded:
        raise RuntimeError(f"restart the session now ({_RESTART[home()]}), then run all cells again: this cell will do nothing")
    _import_bitsandbytes()


def _import_bitsandbytes() -> None:
    """Import it while ``torch.compile`` does nothing; afterwards it compiles as ever.

    bitsandbytes hands it four functions at its import, which brings in all of torch's compiler: a quarter or more of the time
    that a lesson's imports take, since peft imports bitsandbytes. No lesson calls those four.
    """
    switch = "TORCHDYNAMO_DISABLE"  # read whenever something is to be compiled
    before = os.environ.get(switch)
    os.environ[switch] = "1"
    try:
        import bitsandbytes  # noqa: F401
    finally:  # of the switch alone: mock.patch.dict would take back what else the import has set
        del os.environ[switch]
        if before is not None:
            os.environ[switch] = before


_RESTART = {"colab": "Runtime > Restart session", "kaggle": "Run > Restart & clear cell outputs"}


def home() -> str:
    """Where this session runs: "colab", "kaggle" or "local"."""
    if "COLAB_RELEASE_TAG" in os.environ:
        return "colab"
    return "kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "local"


def requirements(*extras: str) -> list[str]:
    """What the lessons import, as pyproject.toml says it, and what these extras bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [line for line in project["dependencies"] if re.split(r"[><=~! ]", line)[0] not in NOT_HOSTED]
    return lines + [line for extra in extras for line in project["optional-dependencies"][extra]]


def unmet(wanted: Iterable[str]) -> list[str]:
    """Those requirements that this Python doesn't meet; one with extras, if any package of these is missing or too old."""
    return [line for line in wanted if not _met(line)]


def _met(line: str) -> bool:
    from packaging.requirements import Requirement  # pip and Jupyter bring it

    wanted = Requirement(line)
    try:
        if not wanted.specifier.contains(metadata.version(wanted.name), prereleases=True):
            return False
    except metadata.PackageNotFoundError:
        return False
    return all(_met(one) for one in brought_by(line))


def brought_by(line: str) -> list[str]:
    """What a requirement's extras bring, as the installed package says: ``openai`` and others for ``transformers[serving]``."""
    from packaging.requirements import Requirement

    wanted = Requirement(line)
    all_of_it = map(Requirement, metadata.requires(wanted.name) or ()) if wanted.extras else ()
    optional = [one for one in all_of_it if one.marker and not one.marker.evaluate({"extra": ""})]
    of_extras = [one for one in optional if any(one.marker.evaluate({"extra": extra}) for extra in wanted.extras)]
    return [f"{one.name}{one.specifier}" for one in of_extras]


def plan(wanted: list[str]) -> dict[str, tuple[str | None, str]]:
    """What pip would do: by package, the version that is there (None: none) and the one that would come."""
    report = json.loads(pip("install", "--dry-run", "--quiet", "--report", "-", *wanted))
    changes = {}
    for item in report["install"]:
        name = item["metadata"]["name"]
        try:
            before = metadata.version(name)
        except metadata.PackageNotFoundError:
            before = None
        changes[name] = (before, item["metadata"]["version"])
    return changes


def describe(changes: dict[str, tuple[str | None, str]]) -> str:
    """The changes in words: what is new and what is upgraded."""
    new = [f"{name} {after}" for name, (before, after) in changes.items() if before is None]
    upgraded = [f"{name} {before} to {after}" for name, (before, after) in changes.items() if before is not None]
    return f"installing {', '.join(new) or 'nothing new'}\nupgrading {', '.join(upgraded) or 'nothing'}"


def already_loaded(changes: dict[str, tuple[str | None, str]]) -> list[str]:
    """Packages to be upgraded whose old code this session has in memory."""
    of_module = metadata.packages_distributions()
    in_memory = {name.lower() for module in {m.split(".")[0] for m in sys.modules} for name in of_module.get(module, ())}
    return [name for name, (before, _) in changes.items() if before is not None and name.lower() in in_memory]


def pip(*words: str) -> str:
    """Run pip with torch, torchvision and numpy held where they are. RuntimeError with pip's own words if it can't."""
    held = [f"{name}=={metadata.version(name)}" for name in KEPT if _installed(name)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write("\n".join(held))
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "-c", file.name],
        capture_output=True, encoding="utf-8", errors="replace", env=os.environ | {"PYTHONUTF8": "1"},
    )  # fmt: skip
    os.unlink(file.name)
    if done.returncode:
        raise RuntimeError(
            f"pip can't meet the course's requirements beside {', '.join(held)}: choose a newer runtime. "
            f"It says:\n{done.stderr[-2000:]}"
        )
    return done.stdout


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False
