"""The runnable side of every exercise: `formula.scores` lives in formula/scores.py, and so on.

A topic's hyphen is an underscore here, since Python could not import the folder: `reading-maps.patch` lives in
reading_maps/patch.py.
"""

from importlib import import_module

from attn_course.coach import catalogue
from attn_course.coach.spec import Task


def task_for(id: str) -> Task:
    """The task of this id; its module is imported on first use. UnknownExercise if the catalogue has no such id."""
    return import_module(f"{__name__}.{catalogue.find(id).id.replace('-', '_')}").TASK
