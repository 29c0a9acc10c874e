"""Rows with marked tokens: what is wanted stands where the marks are."""

import pytest
import torch

from attn_course.tasks.marks import NUMBERS, TOKENS, marks_batch


def test_wanted_is_what_the_marked_tokens_hold():
    drawn = marks_batch(torch.Generator().manual_seed(0), marks=3, batch=50)
    for row in range(50):
        for mark in (1, 2, 3):
            (place,) = (drawn.marks[row] == mark).nonzero()[:, 0].tolist()
            assert torch.equal(drawn.contents[row, place], drawn.wanted[row, mark - 1])
    assert (drawn.marks > 0).sum(-1).tolist() == [3] * 50


def test_shapes_places_and_the_error_of_guessing_nothing():
    drawn = marks_batch(torch.Generator().manual_seed(1), marks=2, batch=4000)
    assert drawn.contents.shape == (4000, TOKENS, NUMBERS) and drawn.wanted.shape == (4000, 2, NUMBERS)
    assert (drawn.marks == 1).float().mean(0).sub(1 / TOKENS).abs().max() < 0.02
    assert drawn.wanted.square().mean() == pytest.approx(1, abs=0.03)


def test_the_same_generator_draws_the_same():
    a, b = (marks_batch(torch.Generator().manual_seed(2), marks=2) for _ in range(2))
    assert torch.equal(a.contents, b.contents) and torch.equal(a.marks, b.marks)


@pytest.mark.parametrize("marks", [0, 13])
def test_more_marks_than_tokens_are_refused(marks):
    with pytest.raises(ValueError, match="1 to 12 marks"):
        marks_batch(torch.Generator(), marks)
