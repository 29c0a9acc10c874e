"""A learner's answer, taken out of a notebook or a Python file without opening Jupyter.

From a notebook run: cells that import or are tagged "setup", and the solution cells up to the exercise's own. The
answer is what the notebook's check cell passes: `scores` in `check("formula.scores", scores)`. The cells run in a
process of their own (`attn_course.coach.run_answer`), with a time limit.
"""

import ast
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from attn_course.coach.catalogue import Exercise
from attn_course.coach.lab import course

SECONDS = 60
MAGIC = re.compile(r"^(\s*)[%!?].*$", re.MULTILINE)  # IPython's own lines mean nothing outside it


class AnswerError(Exception):
    """No answer could be taken; the message is the one sentence that says why and what to do."""


@dataclass(frozen=True)
class Cell:
    name: str  # as said to the learner: "the cell formula-scores"
    source: str


@dataclass(frozen=True)
class Program:
    """What to run, in order; the last cell holds the answer, which `answer` names."""

    id: str
    cells: tuple[Cell, ...]
    answer: str


def program(exercise: Exercise, path: Path) -> Program:
    """The cells that make the learner's answer to this exercise. AnswerError with one sentence if there are none."""
    if path.suffix != ".ipynb":
        cell = Cell(path.name, _text(path))
        return Program(exercise.id, (cell,), _checked(exercise, [cell.source]) or _own_name(exercise))
    cells = _notebook(path)
    answer = _checked(exercise, [_source(cell) for cell in cells]) or _own_name(exercise)
    return Program(exercise.id, _needed(exercise, cells, path), answer)


def run(program: Program, seconds: float = SECONDS) -> bool:
    """Run the cells, check the answer, print the verdict; True if it passed. AnswerError after `seconds`."""
    words = [sys.executable, "-m", "attn_course.coach.run_answer"]
    try:
        done = subprocess.run(words, input=json.dumps(asdict(program)), text=True, encoding="utf-8", timeout=seconds)
    except subprocess.TimeoutExpired:
        raise AnswerError(
            f"Your cells were still running after {seconds:g} seconds, so they were stopped. "
            "Look for a loop that never ends, or for work that belongs in a cell of its own."
        ) from None
    if done.returncode not in (0, 1):
        raise AnswerError(f"Your cells ended Python itself (exit code {done.returncode}): look for exit() or a crash.")
    return done.returncode == 0


def _needed(exercise: Exercise, cells: list[dict], path: Path) -> tuple[Cell, ...]:
    wanted, needed = exercise.id.replace(".", "-"), []
    for cell in cells:
        nbgrader, source = cell["metadata"].get("nbgrader", {}), _source(cell)
        id = nbgrader.get("grade_id", "setup")
        if nbgrader.get("solution") or "setup" in cell["metadata"].get("tags", []) or _imports(source):
            needed.append(Cell(f"the cell {id}", source))
        if id == wanted:
            return tuple(needed)
    raise AnswerError(
        f"{path} has no cell for {exercise.id} (its nbgrader grade_id is {wanted}). If you deleted it: "
        f"attn-course lab --fresh exercises/{exercise.lesson}.ipynb"
    )


def _imports(source: str) -> bool:
    try:
        return any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(source).body)
    except SyntaxError:
        return False


def _checked(exercise: Exercise, sources: list[str]) -> str | None:
    """The NAME in `check("this id", NAME)`, as source; None if no such call is found."""
    for source in sources:
        try:
            calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        except SyntaxError:
            continue
        for call in calls:
            named = getattr(call.func, "id", None) == "check" and len(call.args) >= 2
            if named and getattr(call.args[0], "value", None) == exercise.id:
                return ast.unparse(call.args[1])
    return None


def _own_name(exercise: Exercise) -> str:
    """The name that the course's own copy of the exercise checks."""
    path = course() / "exercises" / f"{exercise.lesson}.ipynb"
    found = _checked(exercise, [_source(cell) for cell in _notebook(path)])
    if found is None:
        raise AnswerError(f'No cell says check("{exercise.id}", …), so it is unclear what to check: add that line.')
    return found


def _notebook(path: Path) -> list[dict]:
    """The code cells of a notebook."""
    try:
        cells = [cell for cell in json.loads(_text(path))["cells"] if cell["cell_type"] == "code"]
        assert all(isinstance(cell["metadata"], dict) and isinstance(_source(cell), str) for cell in cells)
        return cells
    except (ValueError, KeyError, TypeError, AssertionError):
        raise AnswerError(
            f"{path} is no complete notebook (edited or saved halfway?). It was left as it is. Mend it in an editor, "
            f"or take a fresh one: attn-course lab --fresh exercises/{path.name}"
        ) from None


def _source(cell: dict) -> str:
    source = "".join(cell["source"])
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return MAGIC.sub(r"\1pass", source)
    return source


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise AnswerError(f"{path} cannot be read: {(error.strerror or 'unknown reason').lower()}.") from None
    except UnicodeDecodeError:
        raise AnswerError(f"{path} is not text (UTF-8), so there is nothing to check in it.") from None
