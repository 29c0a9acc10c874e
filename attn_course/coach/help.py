"""`hint(id)` and `solution(id)`: help that says a little more each time, and the answer when it has been earned."""

import json
from dataclasses import dataclass
from pathlib import Path

from attn_course.coach import progress
from attn_course.coach.catalogue import Exercise, find
from attn_course.coach.lab import course

TRIES_NEEDED = 3
NUMBERS = ("No", "One", "Two")


@dataclass(frozen=True, repr=False)
class Hint:
    """What `hint` shows: text in a terminal, Markdown in Jupyter."""

    id: str
    shown: tuple[tuple[int, str], ...]  # (1, "A score is …")
    left: int
    of: int

    def __str__(self) -> str:
        lines = [f"Hint {number} of {self.of}. {text}" for number, text in self.shown]
        return "\n".join([*lines, self._rest()])

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        parts = [f"**Hint {number} of {self.of}.** {_literal(text)}" for number, text in self.shown]
        return "\n\n".join([*parts, self._rest()])

    def _rest(self) -> str:
        if self.left:
            return f"{NUMBERS[self.left]} hint{'s' if self.left > 1 else ''} left."
        return f"No hints left. The solution opens after a pass or {_words(TRIES_NEEDED)} tries."


@dataclass(frozen=True, repr=False)
class Solution:
    """What `solution` shows: the code once it is open, otherwise a sentence."""

    id: str
    sentence: str
    code: str | None = None

    def __str__(self) -> str:
        return self.sentence if self.code is None else f"{self.sentence}\n\n{self.code}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.sentence if self.code is None else f"**{self.sentence}**\n\n```python\n{self.code}\n```"


def hint(id: str) -> Hint:
    """The next of the exercise's hints; all of them once all were taken. UnknownExercise if there is no such id."""
    hints = find(id).hints
    numbered = tuple(enumerate(hints, start=1))
    if progress.hints_taken(id) >= len(hints):
        return Hint(id, numbered, 0, len(hints))
    taken = progress.take_hint(id)
    return Hint(id, numbered[taken - 1 : taken], len(hints) - taken, len(hints))


def solution(id: str) -> Solution:
    """The course's own answer, open after a pass or three tries. UnknownExercise if there is no such id."""
    exercise = find(id)
    tries = progress.tries(id)
    if not progress.passed(id) and tries < TRIES_NEEDED:
        so_far = {0: "no try", 1: "one try"}.get(tries, f"{_words(tries)} tries")
        return Solution(
            id, f"The solution of {id} opens after a pass or {_words(TRIES_NEEDED)} tries; {so_far} so far."
        )
    path = course() / "solutions" / f"{exercise.lesson}.ipynb"
    if not path.is_file():
        return Solution(id, "This copy of the course came without solutions; ask whoever gave it to you.")
    code = solution_code(path, exercise)
    if code is None:
        return Solution(id, f"{path} holds no readable solution of {id}; fetch the course's own copy again.")
    return Solution(id, f"A solution of {id}:", code)


def solution_code(path: Path, exercise: Exercise) -> str | None:
    """The solution cell's code without nbgrader's markers; None if the notebook is damaged or has no such cell."""
    wanted = exercise.id.replace(".", "-")
    try:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade_id") == wanted:
                lines = "".join(cell["source"]).splitlines()
                return "\n".join(line for line in lines if not _is_marker(line)).strip("\n")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None


def _is_marker(line: str) -> bool:
    return line.strip() in ("### BEGIN SOLUTION", "### END SOLUTION")


def _words(count: int) -> str:
    return {2: "two", 3: "three"}.get(count, str(count))


def _literal(text: str) -> str:
    """Markdown that shows the text as it is: hints speak of `*`, `_`, `$` and `<` in code and formulas."""
    return "".join("\\" + letter if letter in "\\`*_$<>[]#|~" else letter for letter in text)
