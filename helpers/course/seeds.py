"""Train and judge lessons over several seeds: what one run hides is how far another would have come out."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from helpers.course.notebooks import UsageError, check_parameters, find_lessons, select_lessons
from helpers.course.results import read_results
from helpers.course.runner import run
from helpers.paths import MEASURED, ROOT, resolve
from helpers.tiny import measured_by

WRITTEN = "runs/seeds.json"


def measure_seeds(
    lessons: list[str], seeds: int, settings: dict | None = None, *, profile: str = "tiny", keep: bool = False
) -> dict:
    """Run ``lessons`` with each of the seeds 0 to ``seeds`` - 1, each into a folder of its own; returns what was measured.

    ``{"seeds": [0, 1, ...], lesson: {figure: [one for each seed]}, "commit", "date", "machine"}``, numbers only; written to
    ``runs/seeds.json`` after each seed, and at the end, if it is to be ``keep``-t, into ``notebooks/measured/``: lessons 04 and
    05 to ``seeds.json``, others to a file with their numbers in its name.
    ``settings``: parameters as ``--set`` takes them. UsageError before anything runs; RuntimeError if a run fails.
    """
    chosen = select_lessons(lessons, find_lessons())
    settings = check_parameters(settings or {}, chosen)
    if "SEED" in settings or seeds < 1:
        raise UsageError("the seeds are 0, 1, 2, ...: say how many with --seeds, at least 1")
    if keep and settings:
        raise UsageError("what is kept is measured with the profile's own values: --keep takes no --set")
    names = [lesson.name for lesson in chosen]
    about = {key: value for key, value in measured_by().items() if key != "date"} | {"profile": profile}
    runs = {}
    for seed in range(seeds):
        print(f"\nseed {seed}, {seed + 1} of {seeds}")
        runs[seed] = run_seed(seed, names, settings, about)
        measured = collect(runs, names) | about | {"date": measured_by()["date"]}
        _write(resolve(WRITTEN), measured)
    if keep:
        numbers = [name[:2] for name in names]
        _write(MEASURED / ("seeds.json" if numbers == ["04", "05"] else f"seeds_{'_'.join(numbers)}.json"), measured)
    return measured


def run_seed(seed: int, lessons: list[str], settings: dict, about: dict) -> dict:
    """One seed's figures by lesson. It runs in a fresh folder, unless an earlier call has done the same at the same commit.

    So a command that was interrupted goes on with the seeds that it lacks. RuntimeError if the run fails.
    """
    folder = resolve(f"runs/seeds/{about['profile']}-{seed}")
    done, same = folder / "measured.json", about | {"lessons": lessons, "settings": settings}
    if done.is_file() and json.loads(done.read_text(encoding="utf-8")) == same and not about["commit"].endswith("+"):
        print(f"measured already, at this commit: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)  # what an older course left there is no result of this one
        if run(lessons, about["profile"], settings | {"SEED": seed}, str(folder)):
            raise RuntimeError(f"seed {seed} failed; its message is above, what the others gave is in {WRITTEN}")
        _write(done, same)
    return read_results(folder / "results.json")["lessons"]


def collect(runs: dict[int, dict], lessons: list[str]) -> dict:
    """``{"seeds": [...], lesson: {figure: [...]}}`` from each seed's figures by lesson; text is left out.

    ValueError for a figure that some seeds have and others lack.
    """
    collected: dict = {"seeds": list(runs)}
    for lesson in lessons:
        figures = [results[lesson] for results in runs.values()]
        names = [name for name, value in figures[0].items() if not isinstance(value, str)]
        if odd := sorted(set().union(*figures) - set.intersection(*map(set, figures))):
            raise ValueError(f"{lesson}: not every seed has {', '.join(odd)}")
        collected[lesson] = {name: [run[name] for run in figures] for name in names}
    return collected


@dataclass(frozen=True)
class Seeds:
    """What was measured over several seeds, and where it stands: ``figures[lesson][figure]`` has one for each of ``seeds``."""

    place: str
    seeds: list[int]
    commit: str
    date: str
    machine: str
    figures: dict[str, dict[str, list]]


def read_seeds(*lessons: str) -> list[Seeds]:
    """What the course has measured of ``lessons`` over several seeds, and what you have, if all of them are in it."""
    found = []
    for path in (*sorted(MEASURED.glob("seeds*.json")), resolve(WRITTEN)):
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if set(lessons) <= set(content):
            about = (content[key] for key in ("seeds", "commit", "date", "machine"))
            place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
            found.append(Seeds(str(place), *about, {lesson: content[lesson] for lesson in lessons}))
    return found


def _write(path: Path, measured: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
