"""The book of a run: its executed lessons, the exercises and the repository's own texts as a site, built without a network."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from helpers.course.front import front_page
from helpers.course.notebooks import find_lessons
from helpers.course.outputs import spell
from helpers.course.pages import Links, lesson_page
from helpers.course.repository import BRANCH, forge, repository_address
from helpers.course.results import read_results
from helpers.course.times import lesson_seconds
from helpers.paths import NOTEBOOKS, ROOT

BOOK = Path(__file__).parent / "book"  # Sphinx's configuration, and what the pages need: style, MathJax
PACKAGES = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_copybutton")
# Sections of the book and the pages in them, as globs from the repository's root; lessons stand before them.
_SECTIONS = {
    "Exercises": ("exercises/README.md", "exercises/[0-9]*.ipynb", "exercises/capstone.md", "exercises/troubleshooting.md"),
    "Your data, your GPU": ("docs/*.md",),
    "For those who teach or build on it": ("exercises/instructors.md", "helpers/README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    "Cards": ("helpers/embedded/*/README.md",),
}


class SiteError(RuntimeError):
    """The book can't be built; the message says what to do."""


def build_site(folder: Path) -> Path:
    """Build ``site/`` in the run's ``folder`` from its executed notebooks; returns its ``index.html``.

    SiteError if no lesson was executed there, if the packages for it are missing, or with what Sphinx complains about.
    """
    executed = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    if not executed:
        raise SiteError(f"{folder} holds no executed lesson: run `make course` first")
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise SiteError(f"no book, for {', '.join(missing)} is not installed. To have it: pip install -e '.[site]'")
    with tempfile.TemporaryDirectory(prefix="book-") as place:
        source, built = Path(place) / "source", Path(place) / "site"
        address, found = repository_address()
        write_source(folder, executed, source, address, found)
        run_sphinx(source, built, theme_options(address, found))
        shutil.rmtree(folder / "site", ignore_errors=True)
        shutil.move(built, folder / "site")
    return folder / "site" / "index.html"


def theme_options(address: str, found: bool) -> dict:
    """The buttons at the top of a page: to the repository, if it is at a forge that the theme knows, and to Colab."""
    if forge(address) not in ("github", "gitlab", "bitbucket"):
        return {}
    options = {
        "repository_url": address,
        "repository_provider": forge(address),  # the theme would guess it, from names of groups too
        "repository_branch": BRANCH,
        "use_repository_button": True,
    }
    if _on_colab(address, found):
        options["launch_buttons"] = {"colab_url": "https://colab.research.google.com", "notebook_interface": "jupyterlab"}
    return options


def _on_colab(address: str, found: bool) -> bool:
    """Whether lessons run on Colab: it opens GitHub's notebooks alone, and their first cell fetches the course only from an
    address that is set."""
    return forge(address) == "github" and not found


def write_source(folder: Path, executed: dict[str, Path], source: Path, address: str, found: bool) -> None:
    """What Sphinx reads: pages in the repository's own layout, so that the links between them hold, and the front page."""
    sections = {"": ["README.md"], "Lessons": [f"notebooks/{lesson.path.name}" for lesson in find_lessons()]}
    sections |= {
        title: [path.relative_to(ROOT).as_posix() for glob in globs for path in sorted(ROOT.glob(glob))]
        for title, globs in _SECTIONS.items()
    }
    links = Links({page for pages in sections.values() for page in pages}, address)
    results, times = read_results(folder / "results.json"), lesson_seconds(folder)
    lessons = {}
    for page in sorted(links.pages):
        target = source / page
        target.parent.mkdir(parents=True, exist_ok=True)
        if not page.endswith(".ipynb"):
            target.write_text(links.rewrite((ROOT / page).read_text(encoding="utf-8"), page), encoding="utf-8")
            continue
        ran = executed.get(Path(page).stem) if page.startswith("notebooks/") else None
        notebook = nbformat.read(ran or ROOT / page, as_version=4)
        if ran:
            lessons[ran.stem] = nbformat.from_dict(notebook)
        facts, figures = _facts(page, ran, times, results), results["lessons"].get(Path(page).stem, {}) if ran else {}
        nbformat.write(lesson_page(notebook, page, links, facts, figures), target)
    shutil.copytree(NOTEBOOKS / "images", source / "notebooks" / "images")
    for path in sorted(links.files):
        (source / "sources" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / "sources" / path)
    front = front_page(folder, source, lessons, results, where(address, found))
    (source / "index.md").write_text(f"{front}\n{_contents(sections)}", encoding="utf-8")


def _facts(page: str, ran: Path | None, times: dict[str, float], results: dict) -> str:
    if not page.startswith("notebooks/"):
        return "To be solved in a notebook: `make lab` opens it."
    if ran is None:
        return "This lesson was not run for this book: its code stands here without what it prints."
    took = f" in {spell(times[ran.stem])}" if ran.stem in times else ""
    profile = results["environment"].get("profile", "tiny")
    return f"Run{took}, with the profile `{profile}`."


def where(address: str, found: bool) -> str:
    """The front page's sentence on where the course lives, and how a lesson is had from there."""
    download = "each lesson's notebook can be downloaded from its page"
    if not address:
        return f"{download.capitalize()}."
    how = " (taken from git's `origin`, since `[tool.course] repository` is not set)" if found else ""
    lessons = "the rocket at the top of a lesson opens it on Colab" if _on_colab(address, found) else download
    return f"The course lives at <{address}>{how}; {lessons}."


def _contents(sections: dict[str, list[str]]) -> str:
    """Hidden tables of contents: they make the menu at the side, and previous and next."""
    blocks = []
    for title, pages in sections.items():
        caption = f":caption: {title}\n" if title else ""
        names = "\n".join(_entry(page) for page in pages)
        blocks.append(f"```{{toctree}}\n:hidden:\n{caption}\n{names}\n```\n")
    return "\n".join(blocks)


def _entry(page: str) -> str:
    """A page in the menu: a lesson by its number and subject, without what follows the colon in its title."""
    name, suffix = page.rsplit(".", 1)
    if suffix != "ipynb":
        return name
    title = nbformat.read(ROOT / page, as_version=4).cells[0].source.splitlines()[0]
    return f"{title.lstrip('# ').split(':')[0]} <{name}>"


def run_sphinx(source: Path, built: Path, buttons: dict) -> None:
    """Make the site ``built`` of the pages in ``source``, with these options of the theme. SiteError with what Sphinx says."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-j", "auto"]
    done = subprocess.run(
        [*command, "-c", str(BOOK), "-d", str(source.parent / "doctrees"), str(source), str(built)],
        capture_output=True, encoding="utf-8", errors="replace", env=os.environ | {"COURSE_BUTTONS": json.dumps(buttons)},
    )  # fmt: skip
    if done.returncode:
        raise SiteError(f"the book could not be built:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
