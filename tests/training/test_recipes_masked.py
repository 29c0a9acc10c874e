"""The shipped masked encoder: its figures, what the right side is worth to it, and what it cannot do."""

import pytest
import torch

from attn_course.tasks.documentation import documentation
from attn_course.training.checkpoints import index, trained
from attn_course.training.recipes.masked import (
    RECIPES,
    WINDOW,
    covered,
    foreseen,
    held_out_windows,
    places,
    restored,
    restored_one_by_one,
)


@pytest.fixture(scope="module")
def windows():
    return held_out_windows()


def test_covered_hides_the_characters_asked_for_and_no_others(windows):
    where = places(windows, seed=3)
    hidden = covered(windows, where)
    assert torch.equal(hidden[~where], windows[~where])
    assert (hidden[where] == len(documentation().characters)).all()
    assert 0.12 < where[:, 16:].float().mean() < 0.18 and not where[:, :16].any()


def test_windows_are_the_held_out_text(windows):
    assert windows.shape == (len(documentation().held_out) // WINDOW, WINDOW)


def test_the_figures_are_those_of_the_file():
    assert RECIPES["masked"].figures(trained("masked")) == pytest.approx(index()["masked"]["figures"], abs=0.005)


def test_an_encoder_that_knew_the_answer_would_get_one(windows):
    """The measures themselves, on models made up for them: one that sees through the cover, one that says "e"."""
    where = places(windows)

    def knows(tokens):
        return torch.nn.functional.one_hot(windows, len(documentation().characters)).float()

    def next_is_known(tokens):
        following = torch.nn.functional.one_hot(windows[:, 1:], len(documentation().characters))
        return following.float()

    assert restored(knows, windows, where) == 1 and restored_one_by_one(knows, windows, 64) == 1
    assert foreseen(next_is_known, windows, where) == 1


def test_without_the_right_side_it_is_lost(windows):
    """Asked to write, with everything from a place on covered, it does much worse than with both sides to read."""
    encoder = trained("masked")
    both = restored_one_by_one(encoder, windows, WINDOW // 2)
    assert restored_one_by_one(encoder, windows, WINDOW // 2, right=False) < both - 0.1


def test_encoder_and_decoder_at_the_same_places(windows):
    where = places(windows, seed=5)
    assert restored(trained("masked"), windows, where) > 0.4 and foreseen(trained("language"), windows, where) > 0.4
