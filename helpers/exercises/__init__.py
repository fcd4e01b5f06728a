"""Exercises that say what went wrong. In a notebook: ``from helpers.exercises import open_exercises, progress``."""

from helpers.exercises.causes import CAUSES
from helpers.exercises.exercise import open_exercises, progress
from helpers.exercises.runs import read_run

__all__ = ["CAUSES", "open_exercises", "progress", "read_run"]
