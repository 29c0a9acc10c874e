"""Make exercises/ from solutions/: `python tools/exercises.py`. Nothing in exercises/ is edited by hand.

The steps are nbgrader's own, in the order of `nbgrader generate_assignment`, so that a teacher's release is the same.
With --check nothing is written: it fails if exercises/ is not what solutions/ would give.
"""

import argparse
import sys
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.nbgraderformat import ValidationError
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a file, too

from tools.normalise import read, stored_text, write_if_changed

ROOT = Path(__file__).parents[1]
# What generate_assignment runs, less SaveCells, which writes to a gradebook, and the steps for headers and autotests,
# which this course has none of.
STEPS = (
    LockCells,
    ClearSolutions,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
)


def exercise_from(solution: NotebookNode) -> NotebookNode:
    """The assignment that belongs to a solution notebook, which is left as it is.

    Raises RuntimeError or nbgrader's ValidationError where its markers or metadata are wrong.
    """
    nb, resources = deepcopy(solution), {}
    for step in STEPS:
        nb, resources = step()(nb, resources)
    return nb


def exercise_text(solution: Path) -> str:
    """The content of the exercise file for the solution at this path; ValueError with a sentence if it is faulty."""
    try:
        return stored_text(exercise_from(read(solution)), solution)
    except (RuntimeError, ValidationError, KeyError) as error:
        raise ValueError(f"{solution.name} cannot be made into an assignment: {error}") from error


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tools/exercises.py", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if exercises/ is out of date")
    parser.add_argument("--root", type=Path, default=ROOT, help="the course's folder (default: this one)")
    options = parser.parse_args(arguments)
    solutions = sorted((options.root / "solutions").glob("[0-9]*.ipynb"))
    if not solutions:
        print(f"There is no solution notebook in {options.root / 'solutions'}.", file=sys.stderr)
        return 2
    try:
        wanted = {options.root / "exercises" / path.name: exercise_text(path) for path in solutions}
    except ValueError as error:
        print(f"{error} Nothing was written.", file=sys.stderr)
        return 1
    orphans = sorted(set((options.root / "exercises").glob("*.ipynb")) - set(wanted))
    return _check(wanted, orphans) if options.check else _write(wanted, orphans)


def _check(wanted: dict[Path, str], orphans: list[Path]) -> int:
    stale = [p.name for p, text in wanted.items() if not p.exists() or p.read_bytes() != text.encode()]
    if stale:
        print(f"exercises/ is not what solutions/ gives ({', '.join(stale)}); run `make exercises`.", file=sys.stderr)
    _warn(orphans)
    return 1 if stale or orphans else 0


def _write(wanted: dict[Path, str], orphans: list[Path]) -> int:
    for path, text in wanted.items():
        print(f"exercises/{path.name}: {'written' if write_if_changed(path, text) else 'unchanged'}")
    _warn(orphans)
    return 1 if orphans else 0


def _warn(orphans: list[Path]) -> None:
    """An exercise without a solution is not deleted here: somebody may have written it."""
    for path in orphans:
        print(f"exercises/{path.name} has no solution notebook; add one, or delete it by hand.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
