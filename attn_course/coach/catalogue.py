"""The lessons and their exercises by name. Reads a text file and no torch, so that the command line answers at once."""

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Exercise:
    id: str
    title: str
    minutes: int
    difficulty: int
    points: int
    hints: tuple[str, ...]
    lesson: str  # the lesson's file name without its ending: "01_formula"


@dataclass(frozen=True)
class Lesson:
    number: str
    topic: str
    title: str
    minutes: int
    exercises: tuple[Exercise, ...]

    @property
    def name(self) -> str:
        return f"{self.number}_{self.topic}"


@cache
def lessons() -> tuple[Lesson, ...]:
    """Every lesson, in reading order."""
    with open(Path(__file__).with_name("catalogue.toml"), "rb") as file:
        entries = tomllib.load(file)["lesson"]
    return tuple(_lesson(entry) for entry in entries)


def exercises() -> dict[str, Exercise]:
    """Every exercise by its id, in reading order."""
    return {exercise.id: exercise for lesson in lessons() for exercise in lesson.exercises}


def find(id: str) -> Exercise:
    """The exercise of this id; KeyError with a sentence that names the nearest ones if there is none."""
    known = exercises()
    if id in known:
        return known[id]
    near = get_close_matches(str(id), known, n=2, cutoff=0.5)
    guess = f" Did you mean {' or '.join(near)}?" if near else " `attn-course list` shows them all."
    raise UnknownExercise(f"There is no exercise {id!r}.{guess}")


class UnknownExercise(KeyError):
    """Raised for an id that is not in the catalogue; says which ids are near."""

    def __str__(self) -> str:
        return self.args[0]


def _lesson(entry: dict) -> Lesson:
    name = f"{entry['number']}_{entry['topic']}"
    made = tuple(
        Exercise(**{**exercise, "hints": tuple(exercise["hints"])}, lesson=name) for exercise in entry["exercise"]
    )
    return Lesson(entry["number"], entry["topic"], entry["title"], entry["minutes"], made)
