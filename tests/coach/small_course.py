"""A course of one lesson, on disk, for tests of the command line: its lesson, its exercises and their solutions."""

import json
from pathlib import Path

SCORES = "def scores(q, k):\n    return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5"
SOFTMAX = (
    "def softmax(scores):\n    e = (scores - scores.max(dim=-1, keepdim=True).values).exp()\n"
    "    return e / e.sum(dim=-1, keepdim=True)"
)
STUB = "def {}:\n    # YOUR CODE HERE\n    raise NotImplementedError()"


def code(source: str, grade_id: str | None = None, solution: bool = False, tags: tuple[str, ...] = ()) -> dict:
    metadata: dict = {"tags": list(tags)} if tags else {}
    if grade_id:
        metadata["nbgrader"] = {"grade_id": grade_id, "solution": solution, "grade": not solution, "locked": False}
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": lines}


def notebook(*cells: dict) -> str:
    text = {"cell_type": "markdown", "metadata": {}, "source": "Some prose.\n"}
    return json.dumps({"cells": [text, *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def exercise_cells(scores: str = STUB.format("scores(q, k)"), softmax: str = STUB.format("softmax(scores)")) -> list:
    return [
        code("import torch\n\nfrom attn_course.coach import check, hint"),
        code("%matplotlib inline\nprint('x' * 100_000)", tags=("setup",)),
        code(scores, "formula-scores", solution=True),
        code('check("formula.scores", scores)', "formula-scores-check"),
        code("raise RuntimeError('a cell that is no part of any answer')"),
        code(softmax, "formula-softmax", solution=True),
        code('check("formula.softmax", softmax)', "formula-softmax-check"),
    ]


def write_course(root: Path, lesson: str = "Lesson one.") -> Path:
    """notebooks/, exercises/ and solutions/ of lesson 01 below root."""
    for part in ("notebooks", "exercises", "solutions"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "notebooks/01_formula.ipynb").write_text(notebook(code(f"print({lesson!r})")))
    (root / "exercises/01_formula.ipynb").write_text(notebook(*exercise_cells()))
    solved = [
        part.replace(":\n", ":\n    ### BEGIN SOLUTION\n", 1) + "\n    ### END SOLUTION" for part in (SCORES, SOFTMAX)
    ]
    (root / "solutions/01_formula.ipynb").write_text(notebook(*exercise_cells(*solved)))
    return root
