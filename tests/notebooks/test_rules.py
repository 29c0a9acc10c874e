"""Each rule fires on a notebook that breaks it, and on no other rule's account on one that is good."""

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.notebooks import rules
from tools.normalise import WIDGET_VIEW, normalised

ALT = "A bar for each of four keys; the first is three times as high as the others."


def picture(**changes):
    parts = {"data": {"image/png": "iVBO", "text/plain": ALT}, "metadata": {"image/png": {"alt": ALT}}} | changes
    return new_output("display_data", **parts)


def lesson(*extra: NotebookNode) -> NotebookNode:
    """A small lesson that keeps every rule, with `extra` cells before its card."""
    cells = [
        new_markdown_cell("# Four keys\n\n`n!` ways and $n!$ more, ![a drawing](a.png).<!-- now! -->"),
        new_code_cell("weights = 1  # see https://arxiv.org/abs/1706.03762", execution_count=1, outputs=[picture()]),
        *extra,
        new_markdown_cell("**Card** …", metadata={"tags": ["card"]}),
    ]
    return normalised(new_notebook(cells=cells), "keys")


def code(source: str = "x", **parts) -> NotebookNode:
    return new_code_cell(source, **({"execution_count": 2} | parts))


def printed(name: str, text: str = "a warning") -> list[NotebookNode]:
    return [new_output("stream", name=name, text=text)]


def test_a_good_lesson_breaks_no_rule():
    nb = lesson(code("print('a')", outputs=printed("stdout", "a")))
    assert [complaint for rule in rules.RULES["notebooks"] for complaint in rule(nb)] == []


BAD_CELLS = {
    "no_errors": code(outputs=[new_output("error", ename="ValueError", evalue="no", traceback=[])]),
    "no_stderr": code(outputs=printed("stderr")),
    "outputs_are_small": code(outputs=printed("stdout", "é" * 150_001)),
    "executed_in_order": code(execution_count=None),
    "never_executed": code(),
    "code_cells_are_short": code("\n".join(f"x = {n}" for n in range(13))),
    "no_network": code("import urllib.request"),
    "no_magics": code("%timeit x"),
    "no_interact_or_output_widget": code("from ipywidgets import interact"),
    "nothing_goes_unsaid": new_markdown_cell("This is crucial."),
    "images_have_alt_text": code(outputs=[picture(metadata={})]),
    "html_images_have_alt_text": new_markdown_cell('<img src="a.png">'),
}


@pytest.mark.parametrize("name", BAD_CELLS)
def test_a_bad_cell_is_met_by_its_rule(name):
    assert getattr(rules, name)(lesson(BAD_CELLS[name]))


def test_every_rule_is_shown_to_fire():
    by_hand = {"kernel_is_python3", "ids_are_stable_and_unique", "is_normalised", "no_widget_state", "ends_with_a_card"}
    every = {rule.__name__ for group in rules.RULES.values() for rule in group}
    assert every == by_hand | set(BAD_CELLS)


def test_another_kernel_is_refused():
    nb = lesson()
    nb.metadata.kernelspec.name = "my-env"
    assert rules.kernel_is_python3(nb)


@pytest.mark.parametrize("id", ["1a2b3c4d", "9f8e7d6c-1234-4abc-8def-001122334455", "keys-01", "Xy_Z"])
def test_random_and_doubled_ids_are_refused(id):
    nb = lesson()
    nb.cells[1].id = id
    assert rules.ids_are_stable_and_unique(nb)


@pytest.mark.parametrize(
    "disturb",
    [
        lambda nb: nb.cells[1].metadata.update(execution={"iopub.execute_input": "2026-01-01"}),
        lambda nb: nb.metadata.language_info.update(version="3.12.1"),
        lambda nb: nb.cells[1].update(execution_count=7),
        lambda nb: nb.metadata.update(widgets={}),
    ],
)
def test_noise_is_not_normalised(disturb):
    nb = lesson()
    disturb(nb)
    assert rules.is_normalised(nb)


def test_widget_state_and_views_are_refused():
    state, view = lesson(), lesson()
    state.metadata["widgets"] = {}
    view.cells[1].outputs[0].data[WIDGET_VIEW] = {"model_id": "1"}
    assert rules.no_widget_state(state) and rules.no_widget_state(view)


def test_the_card_is_last_markdown_and_tagged():
    assert rules.ends_with_a_card(new_notebook())
    assert rules.ends_with_a_card(new_notebook(cells=[new_markdown_cell("**Card**")]))
    assert rules.ends_with_a_card(new_notebook(cells=[code(metadata={"tags": ["card"]})]))
    late = lesson()
    late.cells.append(new_markdown_cell("One more thing."))
    assert rules.ends_with_a_card(late)


@pytest.mark.parametrize(
    "output",
    [
        picture(data={"image/png": "iVBO"}),
        picture(data={"image/png": "iVBO", "text/plain": "<Figure size 640x480 with 1 Axes>"}),
        picture(metadata={"image/png": {"alt": "weights"}}),
        picture(data={"image/svg+xml": "<svg/>", "text/plain": ALT}),
    ],
)
def test_alt_text_must_say_something(output):
    assert rules.images_have_alt_text(lesson(code(outputs=[output])))


@pytest.mark.parametrize(
    "prose",
    ["Powerful heads", "We dive in.", "delving", "Simply put", "It is important\nto note", "In conclusion,",
     "as we can see", "Obviously", "It works!", "Well done \U0001f389", "A star ⭐", "Warning ⚠"],
)  # fmt: skip
def test_words_that_go_unsaid_are_met(prose):
    assert rules.nothing_goes_unsaid(lesson(new_markdown_cell(prose)))


@pytest.mark.parametrize(
    "prose",
    ["`x != y`", "```\nsimply!\n```", "$$n!$$", "> [!NOTE]\n> Look.", "The diver's overdrive", "✓ holds → so"],
)
def test_code_formulas_and_marks_are_not_prose(prose):
    assert rules.nothing_goes_unsaid(lesson(new_markdown_cell(prose))) == []


@pytest.mark.parametrize(
    "source",
    ["!pip install x", "%pip install x", "!wget x", "import requests", "torch.hub.load('a', 'b')",
     "read_csv('https://example.org/a.csv')", "hf_hub_download('x')"],
)  # fmt: skip
def test_reaching_out_is_met(source):
    assert rules.no_network(lesson(code(source)))


@pytest.mark.parametrize("source", ["@interact(x=3)\ndef f(x): ...", "widgets.Output()", "interactive_output(f, {})"])
def test_widgets_that_break_comparison_are_met(source):
    assert rules.no_interact_or_output_widget(lesson(code(source)))


@pytest.mark.parametrize("source", ["output = interaction", "x = 3 % y\nz = a != b"])
def test_ordinary_code_is_let_be(source):
    nb = lesson(code(source))
    assert not rules.no_interact_or_output_widget(nb) and not rules.no_network(nb) and not rules.no_magics(nb)
