"""A notebook is stored in one way only."""

import json

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.normalise import WIDGET_VIEW, normalised, read, stored_text, topic_of, write_if_changed

NOISY_ID = "0f1e2d3c"


def noisy():
    """What Jupyter might have saved after an afternoon's work."""
    slider = {"text/plain": "IntSlider(value=3)", WIDGET_VIEW: {"model_id": "5e1f"}}
    cells = [
        new_markdown_cell("# Title", id=NOISY_ID),
        new_code_cell(
            "print(1)\nprint(2)",
            id="keys-intro",
            execution_count=41,
            metadata={"execution": {"shell.execute_reply": "2026"}, "tags": ["a"], "collapsed": False},
            outputs=[new_output("stream", name="stdout", text=text) for text in ("1\n", "2\n")],
        ),
        new_code_cell("slider", execution_count=57, outputs=[
            new_output("execute_result", data=slider, execution_count=57),
            new_output("display_data", data={WIDGET_VIEW: {"model_id": "5e20"}}),
        ]),
        new_code_cell("never_run()", id="Ab_9"),
    ]  # fmt: skip
    kernel = {"name": "my-env", "display_name": "Mine", "language": "python"}
    language = {"name": "python", "version": "3.12.1"}
    nb = new_notebook(cells=cells, metadata={"widgets": {"x": {}}, "kernelspec": kernel, "language_info": language})
    nb.cells[2].id = "keys-intro"  # a second time; nbformat itself would mend that at random
    return nb


def test_noise_goes_and_content_stays():
    nb = normalised(noisy(), "keys")
    first, second, third = nb.cells[1:]
    assert [cell.id for cell in nb.cells] == ["keys-01", "keys-intro", "keys-03", "keys-04"]
    assert (first.execution_count, second.execution_count, third.execution_count) == (1, 2, None)
    assert first.metadata == {"tags": ["a"]}
    assert [output.text for output in first.outputs] == ["1\n2\n"]
    assert [output.data for output in second.outputs] == [{"text/plain": "IntSlider(value=3)"}]
    assert second.outputs[0].execution_count == 2
    assert nb.metadata.kernelspec.name == "python3" and nb.metadata.language_info == {"name": "python"}
    assert "widgets" not in nb.metadata


def test_the_original_is_left_as_it_was():
    nb = noisy()
    before = json.dumps(nb, sort_keys=True)
    normalised(nb, "keys")
    assert json.dumps(nb, sort_keys=True) == before


def test_normalising_twice_changes_nothing(tmp_path):
    path = tmp_path / "03_keys.ipynb"
    write_if_changed(path, stored_text(noisy(), path))
    assert not write_if_changed(path, stored_text(read(path), path))


def test_the_file_has_sorted_keys_one_source_line_a_line_and_a_last_newline(tmp_path):
    text = stored_text(noisy(), tmp_path / "03_keys.ipynb")
    assert text.endswith("}\n") and not text.endswith("\n\n")
    assert '\n    "print(1)\\n",\n    "print(2)"\n' in text
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_a_new_id_avoids_those_in_use():
    nb = new_notebook(cells=[new_markdown_cell("", id=NOISY_ID), new_markdown_cell("", id="keys-01")])
    assert [cell.id for cell in normalised(nb, "keys").cells] == ["keys-03", "keys-01"]


def test_streams_apart_stay_apart():
    pieces = [new_output("stream", name=n, text=n) for n in ("stdout", "stderr", "stdout")]
    nb = normalised(new_notebook(cells=[new_code_cell("x", outputs=pieces)]), "keys")
    assert [output.name for output in nb.cells[0].outputs] == ["stdout", "stderr", "stdout"]


def test_nbgrader_metadata_and_attachments_stay():
    cell = new_markdown_cell("![a](attachment:a.png)", metadata={"nbgrader": {"grade_id": "a"}})
    cell.attachments = {"a.png": {"image/png": "iVBO"}}
    kept = normalised(new_notebook(cells=[cell]), "keys").cells[0]
    assert kept.metadata.nbgrader.grade_id == "a" and kept.attachments == cell.attachments


@pytest.mark.parametrize(
    ("name", "topic"), [("01_formula", "formula"), ("08_reading-maps", "reading-maps"), ("07", "cell")]
)
def test_ids_begin_with_the_topic(tmp_path, name, topic):
    assert topic_of(tmp_path / f"{name}.ipynb") == topic


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 1, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'])
def test_a_file_that_is_no_notebook_is_named(tmp_path, content):
    path = tmp_path / "01_half.ipynb"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"01_half\.ipynb is not a notebook that can be read"):
        read(path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    path.write_text("old")
    monkeypatch.setattr("tools.normalise.os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_if_changed(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
