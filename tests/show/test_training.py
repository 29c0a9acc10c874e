"""The picture of a training shows the losses it was given, and one panel for each thing measured."""

import pytest

from attn_course.show import history
from attn_course.training.history import History


def test_a_history_is_drawn_as_it_is():
    h = History([4.0, 3.0, 2.0, 1.5])
    for step in (2, 4):
        h.measure(step, {"accuracy": step / 4, "entropy": 1.0})
    fig = history(h, floor=1.0)
    loss, accuracy, entropy = fig.axes
    assert loss.lines[0].get_ydata().tolist() == list(h) and list(loss.lines[1].get_ydata()) == list(h)
    assert accuracy.get_title(loc="left") == "accuracy" and list(accuracy.lines[0].get_ydata()) == [0.5, 1.0]
    assert list(entropy.lines[0].get_xdata()) == [2, 4]
    assert [text.get_text() for text in loss.texts] == ["the smallest loss there can be"]


def test_the_running_mean_lies_in_the_middle_of_what_it_averages():
    fig = history(History([float(step % 2) for step in range(400)]))
    mean = fig.axes[0].lines[1]
    assert set(mean.get_ydata().round(9)) == {0.5} and mean.get_xdata()[0] == 5.5


def test_nothing_cannot_be_drawn():
    with pytest.raises(ValueError, match="no steps"):
        history(History())
