"""Exercises that say what went wrong: a learner's names go in; a result comes out: not attempted, wrong or right, and why.

In a notebook: ``from helpers.exercises import open_exercises, progress``. One module of questions a lesson; the kinds of
checks; the runs that are diagnosed from their logs; the two sets of notebooks, made from one source, and their grading
(nbgrader).
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "causes": ("CAUSES",),
        "exercise": ("EXERCISES", "SOLUTIONS", "SOURCE", "Exercise", "notebooks", "open_exercises", "progress", "questions_of"),
        "index": ("KINDS", "entries_of", "fingerprints", "index_of", "out_of_step"),
        "solved": ("progress_file",),
        "result": ("OUTCOMES", "Result"),
        "runs": ("RUNS", "read_run"),
    },
)
