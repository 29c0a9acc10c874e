"""A lesson in a real JupyterLab: run all, move a point with the keyboard, see the picture change."""

import contextlib
import shutil
from pathlib import Path

import nbformat
import pytest
from jupyter_lab import jupyter_lab, run_all
from nbformat.v4 import new_code_cell, new_notebook
from widget_pages import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def lesson(tmp_path):
    """A folder with the first lesson."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    return Path(shutil.copy(ROOT / "notebooks" / "01_formula.ipynb", folder))


@pytest.fixture
def lab(browser, tmp_path):
    """`lab(notebook)` opens it in a JupyterLab of its own, runs all cells and gives the page."""
    home = tmp_path / "home"
    home.mkdir()
    with contextlib.ExitStack() as stack:

        def open_in_lab(notebook: Path):
            address = stack.enter_context(jupyter_lab(notebook.parent, home))
            context = stack.enter_context(browser.new_context(viewport={"width": 1280, "height": 900}))
            page = context.new_page()
            run_all(page, address.format(notebook.name))
            return page

        yield open_in_lab


def test_a_lesson_answers_the_keyboard(lab, lesson):
    page = lab(lesson)
    root = page.locator(".jp-OutputArea .attn[aria-label='Attention by hand']").first
    tab = root.get_by_role("button", name="In the plane")
    if tab.count():
        tab.click()
    page.locator(".jp-Notebook .jp-Cell").nth(1).click(position={"x": 5, "y": 5})  # command mode: Lab's keys are live
    selected = page.locator(".jp-Notebook .jp-Cell.jp-mod-selected")
    presses = [("query at", "ArrowUp"), ("query at", "ArrowDown"), ("query at", "ArrowRight")]
    presses += [("keys", "ArrowRight"), ("keys", "ArrowDown"), ("keys", "Home"), ("keys", "End")]
    for label, key in presses:
        control = root.get_by_label(label, exact=label == "keys")
        control.focus()
        cell = selected.get_attribute("data-windowed-list-index")
        before, said = root.locator("svg").first.inner_html(), root.locator("[aria-live]").inner_text()
        page.keyboard.press(key)
        changed = "([node, before]) => node.innerHTML !== before"
        page.wait_for_function(changed, arg=[root.locator("svg").first.element_handle(), before])
        assert root.locator("[aria-live]").inner_text() != said or label == "keys"
        assert control.evaluate("node => node === document.activeElement"), (label, key)
        assert selected.get_attribute("data-windowed-list-index") == cell, (label, key)


def test_traits_travel_to_python_and_back(lab, tmp_path):
    imports = "from attn_course.show.widgets import FormulaWidget"
    make = new_code_cell(f"{imports}\nw = FormulaWidget(q=(1.0, 0.0))\nw")
    ask = new_code_cell("print('Python has', w.q)\nw.q = [-1.0, 0.5]")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = tmp_path / "lessons" / "traits.ipynb"
    notebook.parent.mkdir()
    nbformat.write(new_notebook(cells=[make, ask], metadata=kernel), notebook)
    page = lab(notebook)
    root = page.locator(".jp-OutputArea .attn")
    root.get_by_label("query at (−1.0, 0.5)").wait_for()  # set by Python
    root.get_by_label("query at").focus()
    page.keyboard.press("ArrowUp")  # set by the reader
    page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    page.get_by_text("Python has [-1.0, 0.6]").wait_for()
