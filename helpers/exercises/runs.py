"""Logs of real runs, kept as data for the exercises that diagnose them (``make_runs`` trains them anew)."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from helpers.paths import ROOT

RUNS = ROOT / "exercises" / "runs"


@dataclass(frozen=True)
class Run:
    """``log``: what the trainer wrote, a row for each time it did. ``facts``: what else is known about the run, by name."""

    name: str
    log: pd.DataFrame
    facts: dict


def read_run(name: str, folder: Path = RUNS) -> Run:
    """The run of that name. ValueError says which there are."""
    path = folder / f"{name}.json"
    if not path.is_file():
        raise ValueError(
            f"there is no run {name!r}; there are {', '.join(sorted(file.stem for file in folder.glob('*.json')))}"
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    return Run(name, pd.DataFrame(content["log"]), content["facts"])
