"""Figures carry their alt text, and the same figure gives the same bytes."""

import io

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.text import Text
from PIL import Image

from attn_course.attention import attention, causal, masked_softmax, padding, sinks, window
from attn_course.show import figure, label, reference, show, source, visibility, weights_map
from attn_course.show.compare import Comparison
from attn_course.show.figure import DOTS_PER_INCH, png_of
from attn_course.show.source import source_of

ALT = "A line that rises from nought to one."


@pytest.fixture(autouse=True)
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def drawn():
    fig, ax = figure(4, 2)
    ax.plot([0, 1], [0, 1])
    reference(ax, 0.5, "half")
    label(ax, 1, 1, "end", "#0072B2")
    return fig


def displayed(call):
    with capture_output() as captured:
        call()
    (output,) = captured.outputs
    return output


def test_a_figure_is_one_png_with_alt_text_in_both_places():
    output = displayed(lambda: show(drawn(), alt=ALT))
    assert output.data["image/png"][:8] == b"\x89PNG\r\n\x1a\n"
    assert output.data["text/plain"] == ALT and output.metadata["image/png"]["alt"] == ALT


def test_the_same_figure_gives_the_same_bytes():
    pngs = [displayed(lambda: show(drawn(), alt=ALT)).data["image/png"] for _ in range(2)]
    assert pngs[0] == pngs[1]


def test_fewer_colours_make_a_smaller_file_and_the_same_picture():
    fig, ax = figure()
    ax.imshow(np.random.default_rng(0).random((40, 60)), cmap="cividis", aspect="auto")
    full = io.BytesIO()
    fig.savefig(full, format="png", dpi=DOTS_PER_INCH)
    small = png_of(fig)
    seen = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float) for png in (full.getvalue(), small)]
    assert len(small) < 0.6 * len(full.getvalue())
    assert abs(seen[0] - seen[1]).mean() < 1.5 and abs(seen[0] - seen[1]).max() < 40  # of 255


def test_too_short_an_alt_and_too_wide_a_figure_get_a_sentence():
    with pytest.raises(ValueError, match="alt should say what the figure shows"):
        show(drawn(), alt="plot")
    with pytest.raises(ValueError, match="at most 8 inches"):
        figure(12, 3)


def test_visibility_draws_cells_blocks_and_rows_that_see_nothing():
    rule = causal & padding(torch.tensor([False, True, True, True]))
    ax = visibility(rule, 4, block=2).axes[0]
    assert (ax.images[0].get_array() == rule.dense(4).numpy()).all()
    assert [text.get_text() for text in ax.texts] == ["sees nothing"]
    assert len(ax.patches) == (rule.blocks(4, block=2).kind > 0).sum()
    assert ax.get_title(loc="left") == str(rule)
    late = visibility(causal, 2, 6).axes[0]
    assert [tick.get_text() for tick in late.get_yticklabels()] == ["4", "5"]


def test_a_long_rule_gets_a_figure_wide_enough_for_its_name():
    fig = visibility(causal & (window(3) | sinks(1)) & ~sinks(0) & window(8), 8)
    fig.draw_without_rendering()
    title = next(text for text in fig.findobj(Text) if text.get_text().startswith("causal"))
    assert title.get_window_extent().x1 <= fig.bbox.x1


def test_weights_map_shows_the_weights_and_their_numbers():
    weights = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    _, ax = figure(3, 3)
    weights_map(ax, weights, ["a", "b"], ["c", "d"], numbers=True)
    assert [text.get_text() for text in ax.texts] == ["0.25", "0.75", "1.00", "0.00"]
    assert (ax.images[0].get_array() == weights.numpy()).all()


def test_source_is_the_files_own_without_its_docstring():
    output = displayed(lambda: source(masked_softmax, attention))
    text = output.data["text/plain"]
    assert text.startswith("@shaped\ndef masked_softmax" if "@shaped\ndef masked" in text else "def masked_softmax")
    assert "scores.isneginf().all(dim=-1, keepdim=True)" in text and '"""' not in text
    assert output.data["text/markdown"] == f"```python\n{text}\n```"
    assert '"""softmax(QKᵀ·scale)V' in source_of(attention, docstrings=True)
    compile(source_of(attention), "shown", "exec")


def test_a_comparison_shows_both_and_frames_what_differs():
    picture = Comparison(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5, 0.25]]), "Smallest case.", ("query", "key"))
    assert str(picture) == "Smallest case.\ntarget         yours\n0.500  0.500   0.500  0.250"
    html = picture.html()
    assert html.count("outline:2px") == 1 and 'aria-label="yours (query × key)' in html
    masks = Comparison(torch.tensor([True, False]), torch.tensor([True, True]))
    assert "True  False   True  True" in str(masks)
    alone = Comparison(torch.tensor([1.0]), None)
    assert "yours" not in str(alone) + alone.html()
