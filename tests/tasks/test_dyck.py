"""Brackets: the truth of each place against cancelling pairs out of the text, which knows no stack."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_course.tasks.dyck import NOTHING, depths, dyck_batch, is_dyck, spelt

PAIR = re.compile(r"\(\)|\[\]|\{\}|<>")


def left_over(text):
    """What remains when pairs are cancelled until there is none: the open brackets, outermost first."""
    while PAIR.search(text):
        text = PAIR.sub("", text)
    return text


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 6), st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_every_place_against_cancelling(seed, kinds, deepest, opens):
    batch = dyck_batch(torch.Generator().manual_seed(seed), 3, 24, kinds, deepest, opens)
    for row in range(3):
        for t in range(24):
            remain = left_over(spelt(batch.tokens[row, : t + 1], kinds))
            assert not re.search(r"[)\]}>]", remain) and len(remain) == batch.depth[row, t] <= deepest
            wanted, opened = batch.wanted[row, t].item(), batch.opened[row, t].item()
            if not remain:
                assert (wanted, opened) == (NOTHING, -1)
                continue
            assert "([{<"[wanted] == remain[-1]
            # Its own bracket: the same kind, and everything since is closed.
            start = t - opened
            assert batch.tokens[row, start] == wanted
            assert left_over(spelt(batch.tokens[row, start + 1 : t + 1], kinds)) == ""
        assert torch.equal(depths(batch.tokens, kinds), batch.depth)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 7), max_size=10))
def test_membership_against_cancelling(tokens):
    assert is_dyck(tokens) == (left_over(spelt(tokens)) == "")


def test_all_words_of_six_brackets_of_two_kinds_are_counted_by_catalan():
    words = torch.cartesian_prod(*[torch.arange(4)] * 6).tolist()
    assert sum(is_dyck(word, 2) for word in words) == 5 * 2**3  # Catalan(3) shapes, two kinds for each pair


def test_depth_and_kinds_are_drawn_as_asked():
    batch = dyck_batch(torch.Generator().manual_seed(0), 200, 100, 4, 5)
    assert batch.depth.max() == 5 and batch.depth.min() == 0
    opened = batch.tokens[batch.tokens < 4]
    assert torch.bincount(opened).div(len(opened)).sub(0.25).abs().max() < 0.02
    deep = dyck_batch(torch.Generator().manual_seed(0), 20, 100, 4, 5, opens=0.9)
    assert deep.depth.double().mean() > batch.depth.double().mean() + 1
    assert torch.equal(batch.tokens, dyck_batch(torch.Generator().manual_seed(0), 200, 100, 4, 5).tokens)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: dyck_batch(torch.Generator(), length=0), "length should be at least 1, got 0"),
        (lambda: dyck_batch(torch.Generator(), kinds=0), "kinds should be at least 1"),
        (lambda: dyck_batch(torch.Generator(), deepest=0), "deepest should be at least 1"),
        (lambda: dyck_batch(torch.Generator(), opens=1.2), "from 0 to 1; got 1.2"),
        (lambda: spelt([0], 5), "1 to 4 kinds"),
        (lambda: spelt([0, 4], 2), "of 2 kinds of brackets are 0 to 3, got 4"),
        (lambda: spelt([-1]), "are 0 to 7, got -1"),
        (lambda: dyck_batch(torch.Generator(), opens=float("nan")), "from 0 to 1; got nan"),
    ],
)
def test_what_cannot_be_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
