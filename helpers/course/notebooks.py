"""Find the lessons and read what their notebooks say about themselves."""

import ast
import difflib
from dataclasses import dataclass
from pathlib import Path

import nbformat

from helpers.course.parameters import check_value
from helpers.paths import NOTEBOOKS


class UsageError(ValueError):
    """The command asks for something that can't be done; nothing has run yet."""


@dataclass(frozen=True)
class Lesson:
    """What a notebook says about itself.

    ``parameters``: the names assigned in its parameters cell. ``from_profile``: those of them that a profile fills, PROFILE
    and what is None; the others have a value of their own. ``needs``: lessons whose output it starts from.
    """

    name: str
    path: Path
    parameters: tuple[str, ...]
    from_profile: tuple[str, ...]
    needs: tuple[str, ...]


def find_lessons(folder: Path = NOTEBOOKS) -> list[Lesson]:
    """All lessons, in the order they are taught, bonus ones last.

    UsageError for a notebook without its one ``parameters`` cell.
    """
    return [read_lesson(path) for pattern in ("[0-9][0-9]_*.ipynb", "bonus_*.ipynb") for path in sorted(folder.glob(pattern))]


def read_lesson(path: Path) -> Lesson:
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", ())]
    if len(cells) != 1:
        raise UsageError(
            f"{path.name} has {len(cells)} cells tagged 'parameters'; it needs exactly one. Tag the cell that assigns "
            "PROFILE (JupyterLab: the gear at the top right, Cell Tags)."
        )
    assigned = {
        target.id: node.value
        for node in ast.parse(cells[0].source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    open_ones = (name for name, value in assigned.items() if name == "PROFILE" or ast.unparse(value) == "None")
    needs = tuple(notebook.metadata.get("course", {}).get("needs", ()))
    return Lesson(path.stem, path, tuple(assigned), tuple(open_ones), needs)


def select_lessons(wanted: list[str], lessons: list[Lesson]) -> list[Lesson]:
    """The lessons of that name or number, in their own order; all but the bonus ones if ``wanted`` is empty."""
    chosen = set()
    for name in wanted:
        found = [lesson.name for lesson in lessons if name in (lesson.name, lesson.name.split("_")[0])]
        if not found:
            names = [lesson.name for lesson in lessons]
            near = next((known for known in names if name.isdigit() and known.startswith(f"{int(name):02}_")), None)
            raise UsageError(
                f"no lesson is called {name!r}. " + (f"Did you mean {near[:2]} ({near})?" if near else _nearest(name, names))
            )
        chosen |= set(found)
    if not wanted:
        return [lesson for lesson in lessons if not lesson.name.startswith("bonus_")]
    return [lesson for lesson in lessons if lesson.name in chosen]


def check_parameters(settings: dict, lessons: list[Lesson]) -> dict:
    """``settings``, each a parameter of one of the lessons and of its kind (:func:`helpers.course.check_value`).

    UsageError for a misspelt name, which papermill would only log, for a value of another kind, and for None where a lesson
    has a value of its own.
    """
    known = sorted({name for lesson in lessons for name in lesson.parameters})
    names = ", ".join(lesson.name for lesson in lessons)
    for name, value in settings.items():
        if name not in known:
            raise UsageError(f"no parameter is called {name!r} in {names}. {_nearest(name, known)}")
        own = {parameter for lesson in lessons for parameter in set(lesson.parameters) - set(lesson.from_profile)}
        if value is None and name in own | {"PROFILE"}:
            raise UsageError(f"{name} is None, and the lessons have a value of their own for it")
    try:
        return {name: check_value(name, value) for name, value in settings.items()}
    except ValueError as error:
        raise UsageError(str(error)) from error


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1) or difflib.get_close_matches(name.upper(), known, n=1)
    return (f"Did you mean {close[0]}? " if close else "") + f"There are: {', '.join(known)}"
