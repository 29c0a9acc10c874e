"""A teacher's round with nbgrader: release an assignment, collect submissions, grade them, give feedback."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from tools.exercises import ROOT
from tools.kernels import never_started
from tools.normalise import read, stored_text
from tools.notebooks import quiet_environment

pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted:sqlalchemy.exc.SAWarning")
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
CHECK = """\
import pathlib, attn_course
assert not (pathlib.Path(attn_course.__file__).parents[1] / "solutions").exists()
class check:
    def __init__(self, id, answer):
        self.right = answer(2) == {"made.double": 4, "made.square": 4, "made.zero": 0}[id]
    def require(self):
        assert self.right"""


def made_solution() -> NotebookNode:
    """An assignment like the course's, with a check of its own, so that grading needs no torch."""
    cells = [new_code_cell(CHECK, id="made-setup")]
    for points, (name, value) in enumerate({"double": "2 * x", "square": "x * x", "zero": "0"}.items(), start=1):
        answer = f"def {name}(x):\n    ### BEGIN SOLUTION\n    return {value}\n    ### END SOLUTION"
        call = f'check("made.{name}", {name})'
        test = f"### BEGIN HIDDEN TESTS\n{call}.require()\n### END HIDDEN TESTS\n{call}"
        plain = {"grade": False, "locked": False, "solution": False, "task": False, "schema_version": 3}
        marks = {"grade_id": f"made-{name}", "solution": True}
        cells.append(new_code_cell(answer, id=f"made-{name}", metadata={"nbgrader": plain | marks}))
        marks = {"grade_id": f"made-{name}-check", "grade": True, "locked": True, "points": points}
        cells.append(new_code_cell(test, id=f"made-{name}-check", metadata={"nbgrader": plain | marks}))
    return new_notebook(cells=cells)


class Course:
    """A teacher's folder with one assignment, and what happens to it."""

    def __init__(self, folder: Path, name: str):
        self.folder, self.name = folder, name
        config = Config()
        config.CourseDirectory.root = str(folder)
        config.CourseDirectory.db_url = self.database = f"sqlite:///{folder / 'gradebook.db'}"
        config.Exchange.root = str(folder / "exchange")
        self.api = NbGraderAPI(config=config)

    def source(self, solution: Path) -> None:
        target = self.folder / "source" / self.name / f"{self.name}.ipynb"
        target.parent.mkdir(parents=True)
        shutil.copy(solution, target)

    def release(self) -> None:
        done = self.api.generate_assignment(self.name)
        assert done["success"], done["log"]

    def released(self) -> NotebookNode:
        """The assignment as a learner gets it."""
        return read(self.folder / "release" / self.name / f"{self.name}.ipynb")

    def graded(self, learner: str, nb: NotebookNode) -> dict[str, float]:
        """Hand in a notebook and grade it: points by exercise."""
        path = self.folder / "submitted" / learner / self.name / f"{self.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(stored_text(nb, path), encoding="utf-8")
        done = self.api.autograde(self.name, learner)
        if not done["success"] and never_started(done["log"]):
            done = self.api.autograde(self.name, learner)
        assert done["success"], done["log"]
        with Gradebook(self.database) as book:
            handed_in = book.find_submission_notebook(self.name, self.name, learner)
            return {grade.cell.name: grade.auto_score for grade in handed_in.grades}

    def feedback(self, learner: str) -> str:
        done = self.api.generate_feedback(self.name, learner)
        assert done["success"], done["log"]
        return (self.folder / "feedback" / learner / self.name / f"{self.name}.html").read_text(encoding="utf-8")


@pytest.fixture
def quiet(tmp_path, monkeypatch):
    """One thread, no network, nobody's progress; and the package as a learner has it, with no solutions/ beside it."""
    alone = tmp_path / "site"
    shutil.copytree(ROOT / "attn_course", alone / "attn_course", ignore=shutil.ignore_patterns("__pycache__", "course"))
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader calls alembic by its name
    wanted = quiet_environment(str(tmp_path / "home")) | {"PYTHONPATH": str(alone), "PATH": tools}
    (tmp_path / "home").mkdir()
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def answers(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("solution")]


def graded_cells(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade")]


def answered(release: NotebookNode, solution: NotebookNode) -> NotebookNode:
    """The release with every answer filled in, as a good learner would hand it in."""
    for cell, answer in zip(answers(release), answers(solution), strict=True):
        assert cell.metadata.nbgrader.grade_id == answer.metadata.nbgrader.grade_id
        cell.source = answer.source
    return release


def round_of(folder: Path, solution: Path) -> None:
    """Grade a right, a partly wrong and an untouched submission of the assignment in `solution`."""
    course, key = Course(folder / "course", solution.stem), read(solution)
    course.source(solution)
    course.release()
    points = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points for cell in graded_cells(key)}
    last = list(points)[-1]

    assert course.graded("right", answered(course.released(), key)) == points

    wrong = answered(course.released(), key)
    name = answers(wrong)[-1].source.split("def ", 1)[1].split("(")[0]
    answers(wrong)[-1].source += f"\n\n{name} = lambda *arguments, **named: 'forty-two'"
    graded_cells(wrong)[-1].source = "pass"  # a tampered test is put back before grading
    assert course.graded("wrong", wrong) == points | {last: 0}

    assert course.graded("untouched", course.released()) == dict.fromkeys(points, 0)


def test_a_round_with_a_made_up_assignment(quiet):
    solution = quiet / "01_made.ipynb"
    solution.write_text(stored_text(made_solution(), solution), encoding="utf-8")
    round_of(quiet, solution)
    assert "made-zero-check" in Course(quiet / "course", "01_made").feedback("wrong")


@pytest.mark.parametrize("solution", SOLUTIONS[:1], ids=lambda path: path.stem)
def test_a_round_with_a_real_assignment(quiet, solution):
    round_of(quiet, solution)


@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_a_release_is_the_exercise_in_the_course(quiet, solution):
    course = Course(quiet / "course", solution.stem)
    course.source(solution)
    course.release()
    release, ours = course.released(), read(ROOT / "exercises" / solution.name)
    assert [(c.cell_type, c.id, c.source, c.metadata) for c in release.cells] == [
        (c.cell_type, c.id, c.source, c.metadata) for c in ours.cells
    ]
