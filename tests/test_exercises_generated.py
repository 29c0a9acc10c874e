"""exercises/ is what solutions/ gives, and the tool that makes it says what is wrong."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.exercises import ROOT, exercise_from, main
from tools.normalise import read, stored_text

SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
STUB = "# YOUR CODE HERE\n    raise NotImplementedError()"


def marked(grade_id: str, source: str, **marks) -> dict:
    """A code cell with nbgrader's marks."""
    full = {"grade": False, "locked": False, "solution": False, "task": False, "schema_version": 3} | marks
    outputs = [new_output("stream", name="stdout", text="seen\n")]
    return new_code_cell(
        source, metadata={"nbgrader": {"grade_id": grade_id} | full}, execution_count=3, outputs=outputs
    )


def solution_notebook() -> dict:
    answer = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    test = "### BEGIN HIDDEN TESTS\nassert double(2) == 4\n### END HIDDEN TESTS\ndouble(1)"
    return new_notebook(
        cells=[
            marked("made-double", answer, solution=True),
            marked("made-double-check", test, grade=True, locked=True, points=2),
        ]
    )


@pytest.fixture
def course(tmp_path):
    path = tmp_path / "solutions" / "01_made.ipynb"
    path.parent.mkdir()
    path.write_text(stored_text(solution_notebook(), path), encoding="utf-8")
    return tmp_path


def test_there_are_solutions():
    assert SOLUTIONS, "There is no notebook in solutions/."


def test_exercises_are_what_solutions_give():
    assert main(["--check"]) == 0


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_no_answer_reaches_the_learner(path):
    text = (ROOT / "exercises" / path.name).read_text(encoding="utf-8")
    for mark in ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", ".require()"):
        assert mark not in text
    answers = [cell for cell in read(path).cells if cell.metadata.get("nbgrader", {}).get("solution")]
    assert answers and text.count("raise NotImplementedError()") == len(answers)


def test_the_solution_goes_and_the_marks_stay():
    answer, test = exercise_from(solution_notebook()).cells
    assert answer.source == f"def double(x):\n    {STUB}"
    assert test.source == "double(1)"
    assert answer.outputs == [] and answer.execution_count is None
    assert len(answer.metadata.nbgrader.checksum) == 32
    assert test.metadata.nbgrader.points == 2
    assert (test.metadata.editable, test.metadata.deletable, answer.metadata.deletable) == (False, False, False)


def test_the_solution_notebook_is_left_as_it_was():
    nb = solution_notebook()
    exercise_from(nb)
    assert "return 2 * x" in nb.cells[0].source and nb.cells[0].outputs


def test_making_twice_gives_the_same_bytes(course, capsys):
    target = course / "exercises" / "01_made.ipynb"
    assert main(["--root", str(course)]) == 0
    first = target.read_bytes()
    assert main(["--root", str(course)]) == 0
    assert target.read_bytes() == first and main(["--root", str(course), "--check"]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == [
        f"exercises/01_made.ipynb: {s}" for s in ("written", "unchanged")
    ]


def test_a_check_notices_a_missing_a_changed_and_a_lonely_exercise(course, capsys):
    target = course / "exercises" / "01_made.ipynb"
    said = "exercises/ is not what solutions/ gives (01_made.ipynb); run `make exercises`.\n"
    assert main(["--root", str(course), "--check"]) == 1
    assert capsys.readouterr().err == said and not target.exists()
    main(["--root", str(course)])
    target.write_text(target.read_text().replace("YOUR CODE", "MY CODE"))
    assert main(["--root", str(course), "--check"]) == 1
    assert capsys.readouterr().err == said
    main(["--root", str(course)])
    lonely = target.with_name("02_lonely.ipynb")
    lonely.write_bytes(target.read_bytes())
    assert main(["--root", str(course), "--check"]) == 1
    assert "exercises/02_lonely.ipynb has no solution notebook" in capsys.readouterr().err and lonely.exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [("### END SOLUTION", ""), ('"solution": true', '"solution": false'), ("made-double-check", "made-double")],
)
def test_faulty_marks_are_said_and_nothing_is_written(course, capsys, before, after):
    path = course / "solutions" / "01_made.ipynb"
    path.write_text(path.read_text().replace(before, after))
    assert main(["--root", str(course)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("01_made.ipynb cannot be made into an assignment: ") and "Nothing was written." in said
    assert not (course / "exercises").exists()


def test_a_course_without_solutions_is_said(tmp_path: Path, capsys):
    assert main(["--root", str(tmp_path)]) == 2
    assert "There is no solution notebook in" in capsys.readouterr().err
