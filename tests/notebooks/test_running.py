"""`make notebooks` and the strict and lax runs, on made-up notebooks."""

import re

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import check_notebooks, notebooks
from tools.normalise import read, stored_text

HIDDEN = "x = 3\nx;"
WIDGET = "from ipywidgets import IntSlider\nIntSlider(value=3)"
PICTURE = """\
import base64, io, matplotlib
matplotlib.use("Agg")
from matplotlib.figure import Figure
file = io.BytesIO()
Figure(figsize=(2, 1)).savefig(file, format="png")
display({"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "An empty page."}, raw=True)"""
SETTINGS = """\
import os
print(hash("attention"), os.environ["OMP_NUM_THREADS"], os.path.exists(os.environ["ATTN_COURSE_HOME"]))"""


def write(path, *sources):
    path.parent.mkdir(parents=True, exist_ok=True)
    nb = new_notebook(cells=[new_markdown_cell("# Made up"), *map(new_code_cell, sources)])
    path.write_text(stored_text(nb, path), encoding="utf-8")
    return path


def test_running_twice_changes_no_byte(tmp_path, capsys):
    path = write(tmp_path / "01_made.ipynb", HIDDEN, WIDGET, PICTURE, SETTINGS)
    assert notebooks.main([str(path)]) == 0
    first = path.read_bytes()
    assert notebooks.main([str(path)]) == 0
    assert path.read_bytes() == first
    assert "written" in capsys.readouterr().out
    _, hidden, widget, picture, settings = read(path).cells
    assert hidden.outputs == []
    assert [output.data for output in widget.outputs] == [{"text/plain": "IntSlider(value=3)"}]
    assert set(picture.outputs[0].data) == {"image/png", "text/plain"}
    assert settings.outputs[0].text.endswith(" 1 False\n")
    assert notebooks.main(["--check", str(path)]) == 0


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "1 / 0",
            r"cell bad-03 \(`1 / 0`\) raised ZeroDivisionError: division by zero\. The file was left as it was\.",
        ),
        ("while True:\n    pass", r"cell bad-03 \(`while True:`\) was still running when 4 seconds had passed\."),
        ("import os\nos._exit(1)", r"cell bad-03 \(`import os`\) ended the kernel"),
    ],
)
def test_a_notebook_that_fails_is_left_and_its_cell_named(tmp_path, capsys, source, why):
    path = write(tmp_path / "02_bad.ipynb", "print('fine')", source)
    before = path.read_bytes()
    assert notebooks.main(["--seconds", "4", str(path)]) == 1
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    assert re.search(why, said), said
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    left = [each for each in psutil.Process().children() if "ipykernel_launcher" in " ".join(each.cmdline())]
    assert not left  # a loop without an end would go on and take a core from whoever comes next


def test_an_edit_made_while_a_notebook_runs_is_kept(tmp_path, capsys):
    path = write(tmp_path / "01_made.ipynb", "from pathlib import Path\nPath('01_made.ipynb').write_text('my edit');")
    assert notebooks.main([str(path)]) == 1
    assert "01_made.ipynb was edited while it ran; run it again." in capsys.readouterr().err
    assert path.read_text() == "my edit"


def test_check_runs_nothing_and_names_what_is_not_normalised(tmp_path, capsys):
    path = write(tmp_path / "01_made.ipynb", "raise SystemExit")
    path.write_text(path.read_text().replace("python3", "my-env"))
    before = path.read_bytes()
    assert notebooks.main(["--check", str(path)]) == 1
    assert "01_made.ipynb is not stored normalised; run `make notebooks`." in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_notebook_that_is_not_there_is_said(tmp_path, capsys):
    assert notebooks.main([str(tmp_path / "99_none.ipynb")]) == 2
    assert "99_none.ipynb" in capsys.readouterr().err


@pytest.fixture
def course(tmp_path):
    """A course of one lesson, executed, with its solution and an exercise that holds no outputs."""
    for folder in ("notebooks", "solutions"):
        notebooks.main([str(write(tmp_path / folder / "01_made.ipynb", HIDDEN, WIDGET, PICTURE, "print(1)"))])
    write(tmp_path / "exercises" / "01_made.ipynb", HIDDEN, "print(1)")
    return tmp_path


def test_the_strict_run_accepts_what_is_right_and_names_what_is_not(course, capfd):
    solution = course / "solutions" / "01_made.ipynb"
    solution.write_text(solution.read_text().replace('"1\\n"', '"2\\n"'))
    assert check_notebooks.run(course, check_notebooks.STRICT, strict=True) == 1
    said = capfd.readouterr().out
    assert "1 failed, 7 passed" in said and "solutions/01_made.ipynb::Cell 3" in said, said


def test_the_lax_run_accepts_cells_that_run(course, capfd):
    assert check_notebooks.run(course, check_notebooks.LAX, strict=False) == 0
    assert "2 passed" in capfd.readouterr().out


def test_one_failing_run_fails_the_whole(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(check_notebooks, "run", lambda root, folders, strict: 0)
    assert check_notebooks.main(["--root", str(tmp_path)]) == 0
    monkeypatch.setattr(check_notebooks, "run", lambda root, folders, strict: int(strict))
    assert check_notebooks.main(["--root", str(tmp_path)]) == 1
    assert "All notebooks: 0 s" in capsys.readouterr().out


def test_a_folder_without_notebooks_is_a_failure(tmp_path, capsys):
    assert check_notebooks.main(["--root", str(tmp_path)]) == 1
    assert "There is no notebook in notebooks/ and solutions/" in capsys.readouterr().err
