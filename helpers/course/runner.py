"""Run lessons headless: papermill over the ordered notebooks, with progress, figures and, at the end, the book."""

import os
import re
import time
from pathlib import Path

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from helpers.course.contact_sheet import write_contact_sheet
from helpers.course.downloads import needs_hub, say_downloads
from helpers.course.kernel import ENGINE
from helpers.course.notebooks import Lesson, UsageError, check_parameters, find_lessons, select_lessons
from helpers.course.out_folder import check_left, hold, open_out
from helpers.course.outputs import spell, tidy
from helpers.course.profiles import load_profile, pick_profile
from helpers.course.results import read_results
from helpers.course.secrets import redact, redact_files
from helpers.course.site import SiteError, build_site
from helpers.course.times import expected_seconds
from helpers.paths import NOTEBOOKS, ROOT, use_caches

CELL_TIMEOUT_SECONDS = {"tiny": 900, "t4": 6 * 3600, "gpu": 6 * 3600}


def run(
    wanted: list[str], profile: str = "auto", settings: dict | None = None, out: str | None = None, folder: Path = NOTEBOOKS,
    book: bool = False,
) -> int:  # fmt: skip
    """Run lessons by name or number (all by default); 0 if all went well, 1 if one failed. UsageError before anything runs.

    ``book``: make the contact sheet of the plots and the book of the run's folder at the end.
    """
    lessons = find_lessons(folder)
    chosen = select_lessons(wanted, lessons)
    settings = check_parameters(settings or {}, chosen)
    try:
        profile, reason = pick_profile(settings.pop("PROFILE", profile))
        values = load_profile(profile)
    except ValueError as error:
        raise UsageError(str(error)) from error
    out_folder = open_out(out or os.environ.get("COURSE_OUT") or f"runs/{profile}")
    with hold(out_folder, [lesson.name for lesson in chosen]):
        check_left(out_folder)
        order = with_needs(chosen, lessons, out_folder)
        print(f"profile {profile}: {reason}; results go to {out_folder}")
        announce(order, out_folder, profile)
        use_caches()
        os.environ["COURSE_OUT"] = str(out_folder)
        if not any(needs_hub((values | settings).get(name)) for name in ("MODEL", "DATASET", "PREFERENCES")):
            os.environ["HF_HUB_OFFLINE"] = "1"  # the lessons' kernels inherit it: nothing is looked up that isn't needed
        say_downloads(
            {name: value for lesson in order for name, value in (values | settings).items() if name in lesson.parameters}
        )
        failed = _run_all(order, values, settings, out_folder, CELL_TIMEOUT_SECONDS[profile])
        if book and not failed:
            publish(out_folder)
        return failed


def announce(order: list[Lesson], out_folder: Path, profile: str) -> None:
    """Say what is about to run, how long that took last time, and where to look meanwhile."""
    names = ", ".join(lesson.name for lesson in order)
    times, where = expected_seconds([lesson.name for lesson in order], out_folder, profile)
    took = f"; {where}: {spell(sum(times.values()))}" if times else ""
    print(f"{len(order)} lesson{'s' * (len(order) > 1)}{took}\n  {names}")
    print(f"meanwhile: notebooks/ has what is running (`make lab` opens it); executed lessons appear in {out_folder}")


def publish(out_folder: Path) -> None:
    """The contact sheet and the book; a book that can't be built doesn't undo the run: the reason is printed."""
    write_contact_sheet(out_folder)
    try:
        print(f"\nthe book of this run: {build_site(out_folder)}")
    except SiteError as error:
        print(f"\n{error}")


def _run_all(order: list[Lesson], values: dict, settings: dict, out_folder: Path, timeout: int) -> int:
    times: dict[str, float] = {}
    for lesson in order:
        began = time.monotonic()
        given = {name: value for name, value in values.items() if name in lesson.from_profile}
        given |= {name: value for name, value in settings.items() if name in lesson.parameters}
        if not run_lesson(lesson, given, out_folder, timeout):
            return 1
        times[lesson.name] = time.monotonic() - began
    print_summary(times, out_folder)
    return 0


def with_needs(chosen: list[Lesson], lessons: list[Lesson], out_folder: Path) -> list[Lesson]:
    """``chosen``, each after the lessons that it starts from, where those have not left their figures in ``out_folder``."""
    done = set(read_results(out_folder / "results.json")["lessons"])
    by_name, order = {lesson.name: lesson for lesson in lessons}, []

    def add(lesson: Lesson, wanted_by: str | None) -> None:
        if lesson in order:
            return
        if wanted_by and lesson not in chosen:
            if lesson.name in done:
                return
            print(f"{wanted_by} starts from what {lesson.name} makes, which is not there yet: running that first")
        for need in lesson.needs:
            if need not in by_name:
                raise UsageError(f"{lesson.name} needs {need}, and there is no such lesson")
            add(by_name[need], lesson.name)
        order.append(lesson)

    for lesson in chosen:
        add(lesson, None)
    return order


def run_lesson(lesson: Lesson, parameters: dict, out_folder: Path, timeout: int) -> bool:
    """Execute one notebook into ``out_folder``; on failure say where, what and what to try, keep the partial notebook."""
    target = out_folder / f"{lesson.name}.ipynb"
    try:
        papermill.execute_notebook(
            str(lesson.path), str(target), parameters=parameters, kernel_name="python3", cwd=str(ROOT), engine_name=ENGINE,
            progress_bar={"desc": lesson.name, "mininterval": 1}, execution_timeout=timeout, autosave_cell_every=0,
        )  # fmt: skip
    except PapermillExecutionError as error:
        _explain(lesson, f"cell {error.cell_index}, {error.ename}: {error.evalue}", advice(error.ename, error.evalue), target)
        return False
    except Exception as error:  # nbclient's timeout and a kernel that died are not papermill's own errors
        _explain(lesson, f"{type(error).__name__}: {error}", advice(type(error).__name__, str(error)), target)
        return False
    finally:
        redact_files(out_folder)
    keep_tidy(target)
    return True


def keep_tidy(path: Path) -> None:
    """Rewrite an executed notebook with tidy outputs; what the libraries said on stderr goes to ``logs/`` beside it."""
    notebook = nbformat.read(path, as_version=4)
    said = tidy(notebook)
    nbformat.write(notebook, path)
    log = path.parent / "logs" / f"{path.stem}.txt"
    log.unlink(missing_ok=True)
    if said:
        log.parent.mkdir(exist_ok=True)
        log.write_text("\n".join(said) + "\n", encoding="utf-8")


_ADVICE = (
    (r"^KernelStartError", "mend what the kernel itself says above; what is installed: python -m helpers doctor"),
    (r"^HubError", "do what the message says, then this command again"),
    (r"CellTimeoutError|timed out", "a cell ran too long: fewer steps (--set MAX_STEPS=50) or --profile tiny"),
    (r"^NoRoomError", "do what the message says, then this command again"),
    (
        r"out of memory|OutOfMemoryError|can't allocate memory",
        "memory ran out: --set BATCH_SIZE=1 --set ACTIVATION_CHECKPOINTING=True --set QUANTIZATION=4bit",
    ),
    (r"DeadKernelError|Kernel died", "the kernel died, most often for lack of memory: --set BATCH_SIZE=4"),
    (r"the disk is full|No space left", "make room on that disk, then this command again"),
    (r"BadRowError", "mend or remove the row that is named, or load with on_error='skip'"),
    (r"FileNotFoundError", "check the path: relative paths count from the repository root"),
    (r"ModuleNotFoundError|ImportError", "run `make setup`, then this command again"),
    (r"ConnectionError|OfflineMode|LocalEntryNotFound", "the hub was not reached: check the network, or --profile tiny"),
)  # fmt: skip


def advice(kind: str, message: str) -> str:
    """One thing to try for an error of this kind."""
    for pattern, what in _ADVICE:
        if re.search(pattern, f"{kind}: {message}"):
            return what
    return "open the partial notebook at that cell and run it from there"


def _explain(lesson: Lesson, what: str, attempt: str, target: Path) -> None:
    print(f"\n{lesson.name} failed at {redact(what)}\n  try: {attempt}\n  partial notebook: {target}")


def print_summary(times: dict[str, float], out_folder: Path) -> None:
    """A table of the run's lessons with their time and figures."""
    results = read_results(out_folder / "results.json")["lessons"]
    for name, seconds in times.items():
        print(f"\n{name}: {seconds:.0f} s")
        for key, value in results.get(name, {}).items():
            print(f"  {key:32} {value:.4g}" if isinstance(value, float) else f"  {key:32} {value}")
