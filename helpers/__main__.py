"""The course's commands: ``python -m helpers {setup,course,run,seeds,site,check,ask,lab,doctor,measured,bench,gpu}``."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import warnings

from helpers.course import environment
from helpers.paths import ROOT, use_caches


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    return options.do(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(do=do)
        return sub

    sub = command("setup", _setup, "build .venv, once")
    sub.add_argument("--instructor", action="store_true", help="and what makes and grades the exercises")
    for name, do, profile, summary in (
        ("run", _run, "auto", "run lessons headless, with the Python that calls it"),
        ("course", _course, "tiny", "build .venv if need be and run lessons in it: what `make course` does, without make"),
    ):
        sub = command(name, do, summary)
        sub.add_argument("lessons", nargs="*", metavar="LESSON", help="name or number (04); all but the bonus if none is given")
        sub.add_argument("--profile", default=profile, help=f"auto, tiny, t4 or gpu (default: {profile})")
        sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the notebooks")
        sub.add_argument("--out", help="folder for everything the run writes (default: runs/<profile>)")
    sub = command("seeds", _seeds, "train and judge lessons over several seeds into runs/seeds.json")
    sub.add_argument("--seeds", type=int, default=5, help="how many, from 0 on (default: 5)")
    sub.add_argument("--lessons", default="04,05", help="names or numbers with commas between (default: 04,05)")
    sub.add_argument("--profile", default="tiny", help="tiny, t4 or gpu (default: tiny)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the notebooks")
    kept = "and into notebooks/measured, which is committed: seeds.json for lessons 04 and 05, seeds_<numbers>.json for others"
    sub.add_argument("--keep", action="store_true", help=kept)
    sub = command("site", _site, "make the book of a run from its executed lessons, and a sheet of its plots")
    sub.add_argument("--run", default="runs/tiny", help="folder of the run (default: runs/tiny)")
    sub = command("check", _check, "say row by row what a training on your data would really see")
    sub.add_argument("source", help="embedded, a folder with questions.csv, parquet files, or a hub id")
    sub.add_argument("--as", dest="kind", choices=("questions", "preferences"), help="default: by the columns")
    sub.add_argument("--model", default="embedded", help="whose tokens are counted: embedded, a folder, or owner/name@revision")
    sub = command("ask", _ask, "ask one question about a picture")
    sub.add_argument("image")
    sub.add_argument("question")
    sub.add_argument("--model", default="embedded", help="embedded, a folder, or owner/name@revision")
    sub.add_argument("--adapter", help="folder of the adapter that a lesson trained, such as runs/tiny/04_sft_chartqa/adapter")
    sub = command("lab", _lab, "open the lessons in JupyterLab")
    sub.add_argument("options", nargs="*", metavar="OPTION", help="of JupyterLab, after --: `lab -- --no-browser --port=8890`")
    command("doctor", _doctor, "say what is installed, what this machine has, and what each profile would do here")
    sub = command("measured", _measured, "keep a run's figures and times in notebooks/measured, and write them into the README")
    sub.add_argument("--run", default="runs/tiny", help="folder of the run (default: runs/tiny)")
    command("bench", _bench, "measure speed and memory ratios into runs/bench.json")
    sub = command("gpu", _gpu, "ten minutes with this machine's GPU: is the dry run right, is it kept busy, do the lessons end")
    sub.add_argument("--lessons", choices=("few", "all"), default="few", help="all: every lesson of every profile, hours")
    sub.add_argument("--data", default="embedded", help="embedded, a folder, a parquet file or a hub id")
    sub.add_argument("--minutes", type=float, help="begin nothing more after these (default: 10; none with --lessons all)")
    return parser


def _setup(options) -> int:
    environment.ensure()
    if options.instructor:
        environment.ensure_instructor()
    return 0


def _course(options) -> int:
    environment.ensure()
    words = ["run", *options.lessons, "--profile", options.profile, *(word for pair in options.set for word in ("--set", pair))]
    words += ["--out", options.out] if options.out else []
    return subprocess.run([str(environment.PYTHON), "-m", "helpers", *words], cwd=ROOT).returncode


def _run(options) -> int:
    use_caches()  # before the libraries read them
    from helpers.course import UsageError, run

    try:
        return run(options.lessons, options.profile, _settings(options.set), options.out, book=True)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _settings(pairs: list[str]) -> dict:
    """What ``--set`` says, by name. UsageError for what is no NAME=VALUE."""
    from helpers.course import UsageError, read_value

    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageError(f"--set {name!r}: it is --set NAME=VALUE")
        settings[name] = read_value(name, value)
    return settings


def _seeds(options) -> int:
    use_caches()
    from helpers.course import UsageError, measure_seeds

    lessons = [name.strip() for name in options.lessons.split(",")]
    try:
        measure_seeds(lessons, options.seeds, _settings(options.set), profile=options.profile, keep=options.keep)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _quietly() -> None:
    """Keep the libraries' chatter away: it would hide an answer of one line."""
    use_caches()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)
    import datasets
    from transformers.utils import logging as transformers_logging

    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()


def _check(options) -> int:
    _quietly()
    from helpers.evaluation import check_dataset
    from helpers.models import load_processor

    try:
        report = check_dataset(options.source, load_processor(options.model), kind=options.kind)
    except (OSError, ValueError) as error:  # nothing there, the hub's, or a model that no lesson can work with
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report)
    return 0 if report.sound else 1


def _ask(options) -> int:
    _quietly()
    from helpers.course import ask

    try:
        print(ask(options.image, options.question, options.model, options.adapter))
    except (OSError, ValueError) as error:  # no picture, the hub's, or a model that no lesson can work with
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _site(options) -> int:
    use_caches()
    from helpers.course import SiteError, build_site, write_contact_sheet
    from helpers.paths import resolve

    try:
        print(build_site(resolve(options.run)))
        print(write_contact_sheet(resolve(options.run)))
    except (SiteError, ValueError) as error:  # a damaged results.json
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _measured(options) -> int:
    from helpers.course import keep_measured

    try:
        for lesson, seconds in keep_measured(options.run)["seconds"].items():
            print(f"{lesson}: {seconds:.0f} s")
    except (FileNotFoundError, ValueError) as error:  # a damaged results.json
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _lab(options) -> int:
    use_caches()
    from jupyterlab.labapp import LabApp

    words = ["--LabApp.default_url=/lab/tree/notebooks", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    words += ["--LanguageServerManager.autodetect=False"]  # it asks npm, which writes a log into the home folder
    LabApp.launch_instance([*words, *options.options])
    return 0


def _doctor(options) -> int:
    use_caches()
    from helpers.course import examine

    print(examine())
    return 0


def _bench(options) -> int:
    use_caches()
    from helpers.course import bench

    bench()
    return 0


def _gpu(options) -> int:
    _quietly()
    from helpers.course import use_gpu

    return use_gpu(options.lessons == "all", options.data, options.minutes)


if __name__ == "__main__":
    sys.exit(main())
