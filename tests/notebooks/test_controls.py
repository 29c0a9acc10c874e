"""Every claim of every lesson can fail: under its control it does. The harness itself is tried on made-up lessons."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.notebooks.harness import findings
from tools.claims import claims_of
from tools.normalise import read, stored_text

ROOT = Path(__file__).parents[2]
CONTROLS = Path(__file__).with_name("controls")
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SETUP = """\
import numpy
from attn_course.coach import claim
scale = 0.5
scores = numpy.zeros(3)
def scaled():
    return scores * scale + 1"""


def lesson(folder: Path, *claims: tuple[str, str]) -> Path:
    """A lesson of a setup and one cell for each (ids printed when it was executed, source)."""
    cells = [new_code_cell(SETUP), new_markdown_cell("Text.")]
    for ids, source in claims:
        lines = "".join(f"✓ {id}  It holds.\n" for id in ids.split())
        cells.append(new_code_cell(source, outputs=[new_output("stream", name="stdout", text=lines)]))
    path = folder / "01_made.ipynb"
    path.write_text(stored_text(new_notebook(cells=cells), path), encoding="utf-8")
    return path


def controls(folder: Path, **sources: str) -> Path:
    """A file of controls; made_1 stands for the id made.1."""
    path = folder / "01_made.py"
    path.write_text(f"CONTROLS = { ({name.replace('_', '.'): s for name, s in sources.items()})!r}\n", encoding="utf-8")
    return path


FIRST = ("made.1", "claim('made.1', bool((scaled() == 1).all()), 'It holds.')")
SECOND = ("made.2", "claim('made.2', bool(scores.sum() == 0), 'It holds.')")
NEVER = ("made.1", "claim('made.1', True, 'It holds.')")


def test_controls_that_break_their_claims_are_accepted(tmp_path):
    # The first is seen only through a function defined before; the second changes a tensor in place, which must not
    # reach the lesson's own run.
    made = controls(tmp_path, made_1="scores = numpy.ones(3)", made_2="scores += 1")
    assert findings(lesson(tmp_path, SECOND, FIRST), made) == []


def test_a_control_reaches_its_claim_past_others_in_the_cell(tmp_path):
    cell = ("made.1 made.2", f"{FIRST[1]}\n{SECOND[1]}")
    made = controls(tmp_path, made_1="scale = float('nan')", made_2="scores += 1")
    assert findings(lesson(tmp_path, cell), made) == []


FAULTS = {
    "still holds under its control": (FIRST, {"made_1": "pass"}),
    "can hardly fail": (NEVER, {"made_1": "scores += 1"}),
    "has no control": (FIRST, {}),
    "belongs to no claim": (FIRST, {"made_1": "scores += 1", "made_7": "pass"}),
    "itself failed with NameError": (FIRST, {"made_1": "no_such_thing"}),
    "failed with TypeError, not with its claim": (FIRST, {"made_1": "scores = None"}),
    "ended its process": (FIRST, {"made_1": "import os; os._exit(0)"}),
    "was not printed": (("made.1", "x = 1"), {"made_1": "raise SystemExit"}),
    "could not be run: ZeroDivisionError": (("made.1", "1 / 0"), {"made_1": "pass"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said(tmp_path, fault):
    claim, made = FAULTS[fault]
    said = findings(lesson(tmp_path, claim), controls(tmp_path, **made))
    assert any(fault in sentence for sentence in said), said


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_claim_of_the_lesson_can_fail(path):
    assert claims_of(read(path)), f"{path.name} makes no claim."
    assert findings(path, CONTROLS / f"{path.stem}.py") == []


def test_every_file_of_controls_belongs_to_a_lesson():
    assert [path.stem for path in sorted(CONTROLS.glob("[0-9]*.py"))] == [path.stem for path in LESSONS]
