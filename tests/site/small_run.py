"""All lessons, run with the small values that nbmake uses, and their book: ``python -m tests.site.small_run FOLDER``."""

import shutil
import sys

import nbformat

from helpers.course import find_lessons, run
from helpers.paths import resolve, use_caches


def main(folder: str) -> int:
    use_caches()
    shutil.rmtree(resolve(folder), ignore_errors=True)
    lessons = [lesson for lesson in find_lessons() if not lesson.name.startswith("bonus_")]
    for lesson in lessons:
        cells = nbformat.read(lesson.path, as_version=4).cells
        small = next(cell.metadata.nbmake.mock for cell in cells if "nbmake" in cell.metadata)
        small = {name: 12 if name == "OVERFIT_STEPS" else value for name, value in small.items()}  # the book needn't overfit
        if run([lesson.name], "tiny", small, folder, book=lesson is lessons[-1]):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
