"""The ledger says what executed lessons have shown, and no more."""

import re

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.claims import ROOT, claims_of, main, rows
from tools.normalise import read, stored_text

ROW = """
[[row]]
id = "{id}"
statement = "Rows sum to one."
lessons = ["01", "09"]
claims = {claims}
verdict = "{verdict}"
evidence = "{evidence}"
"""


def row(id="A1", claims=("formula.1",), verdict="holds", evidence="On a real head.") -> str:
    return ROW.format(id=id, claims=list(claims), verdict=verdict, evidence=evidence)


def printing(*lines: str):
    return new_code_cell(
        "claim(…)", outputs=[new_output("stream", name="stdout", text="".join(f"{x}\n" for x in lines))]
    )


@pytest.fixture
def course(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "01_formula.ipynb"
    cell = printing("before", "✓ formula.1  Rows sum to one.   (12 heads)", "✓ formula.2  So do these.")
    path.write_text(stored_text(new_notebook(cells=[cell]), path), encoding="utf-8")
    return tmp_path


def written(course, *entries: str) -> str:
    (course / "docs" / "claims.toml").write_text("".join(entries), encoding="utf-8")
    assert main(["--root", str(course)]) == 0
    return (course / "docs" / "claims.md").read_text(encoding="utf-8")


def test_the_ledger_is_up_to_date():
    assert main(["--check"]) == 0


def test_every_statement_has_its_row():
    assert [row.id for row in rows(ROOT / "docs" / "claims.toml")] == [f"A{n}" for n in range(1, 53)]


def test_every_claim_named_in_the_ledger_is_printed_by_its_lesson():
    for entry in rows(ROOT / "docs" / "claims.toml"):
        files = [path for number in entry.lessons for path in (ROOT / "notebooks").glob(f"{number}_*.ipynb")]
        shown = claims_of(*map(read, files))
        assert [id for id in entry.claims if id not in shown] == [], entry.id


def test_a_claim_that_was_printed_settles_its_row(course):
    text = written(course, row())
    assert "1 statements: 1 holds, 0 holds within limits, 0 not shown, 0 mixes up two things, 0 open." in text
    assert "**A1 · holds** (lesson [01](../notebooks/01_formula.ipynb), 09)" in text
    assert "> Rows sum to one." in text and "On a real head." in text
    assert "- ✓ `formula.1` Rows sum to one. (12 heads)" in text
    assert "- ✓ `formula.2` So do these." in text.split("## Also shown")[1]


def test_a_claim_that_was_not_printed_leaves_its_row_open(course):
    text = written(course, row(claims=("formula.1", "formula.3")))
    assert "0 holds," in text and "1 open." in text and "**A1" not in text
    assert "not printed by any lesson: formula.3" in text


def test_a_row_without_claims_is_open(course):
    text = written(course, row(claims=(), verdict="open", evidence=""))
    assert "| A1 | Rows sum to one. | [01](../notebooks/01_formula.ipynb), 09 |" in text


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (row(verdict="true"), "A1 has the verdict 'true'; choose open, holds,"),
        (row(claims=()), "A1 has the verdict 'holds' without claims and a sentence of evidence."),
        (row(evidence=""), "A1 has the verdict 'holds' without claims and a sentence of evidence."),
        (row() + row(), "claims.toml has two rows A1."),
        (row().replace("lessons", "lesson"), "claims.toml cannot be read as a ledger"),
        ("[[row", "claims.toml cannot be read as a ledger"),
    ],
)
def test_a_row_that_says_too_much_is_refused(course, capsys, entry, said):
    (course / "docs" / "claims.toml").write_text(entry, encoding="utf-8")
    assert main(["--root", str(course)]) == 1
    assert said in capsys.readouterr().err
    assert not (course / "docs" / "claims.md").exists()


def test_a_stale_ledger_is_noticed(course, capsys):
    written(course, row())
    assert main(["--root", str(course), "--check"]) == 0
    (course / "docs" / "claims.toml").write_text(row(verdict="holds within limits"), encoding="utf-8")
    assert main(["--root", str(course), "--check"]) == 1
    said = "docs/claims.md is not what the lessons' outputs and docs/claims.toml give; run `make claims`.\n"
    assert capsys.readouterr().err == said


def test_one_id_printed_by_two_cells_is_refused():
    nb = new_notebook(cells=[printing("✓ formula.1  A."), printing("✓ formula.1  B.")])
    with pytest.raises(ValueError, match=re.escape("formula.1 is printed by two cells")):
        claims_of(nb)


def test_only_printed_lines_count():
    shown = new_output("stream", name="stderr", text="✓ formula.1  A.\n")
    nb = new_notebook(cells=[new_code_cell("print('✓ formula.1  A.')", outputs=[shown]), printing(" ✓ formula.2  B.")])
    assert claims_of(nb) == {}
