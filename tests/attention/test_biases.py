"""Depth and period: what each encoding adds, by hand, and what it does not change."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_course.attention import ALiBi, MultiHead, Rotary, causal
from attn_course.attention.biases import Cyclic, PlaceAndDepth


def test_place_and_depth_are_alibi_and_rotary():
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, 6, 8, generator=generator)
    depth = torch.randint(5, (2, 6), generator=generator)
    both = PlaceAndDepth(4, 8, base=100.0)
    torch.testing.assert_close(both.rotate(q, depth), Rotary(8, 100.0).rotate(q, depth))
    scores, i, j = torch.zeros(2, 4, 6, 6), torch.arange(6)[:, None], torch.arange(6)[None, :]
    torch.testing.assert_close(both.score(scores, i, j), ALiBi(4).score(scores, i, j))
    assert torch.equal(both.add(q[:, 0], depth), q[:, 0])


@settings(max_examples=20, deadline=None)
@given(deeper=st.integers(-5, 9), seed=st.integers(0, 99))
def test_only_the_difference_of_depths_matters(deeper, seed):
    torch.manual_seed(seed)
    layer = MultiHead(16, 2, positions=PlaceAndDepth(2, 8)).double()
    x, depth = torch.randn(1, 7, 16, dtype=torch.float64), torch.randint(4, (1, 7))
    torch.testing.assert_close(
        layer(x, visible=causal, at=depth + deeper), layer(x, visible=causal, at=depth), rtol=1e-5, atol=1e-6
    )
    other = depth.clone()
    other[0, 3] += 1
    assert not torch.allclose(layer(x, visible=causal, at=other), layer(x, visible=causal, at=depth))


@settings(max_examples=20, deadline=None)
@given(period=st.integers(1, 7), turns=st.integers(-3, 3), start=st.integers(0, 50))
def test_a_cycle_later_nothing_has_changed(period, turns, start):
    torch.manual_seed(period)
    encoding, x = Cyclic(period, 4), torch.randn(2, 5, 4)
    at = torch.arange(start, start + 5)
    there, here = encoding.add(x, at + turns * period), encoding.add(x, at)
    assert torch.equal(there, here)
    expected = torch.stack([x[:, t] + encoding.table.weight[(start + t) % period] for t in range(5)], dim=1)
    torch.testing.assert_close(here, expected)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Cyclic(0, 4), "at least 1 token long, got 0"),
        (lambda: Cyclic(2, 4).add(torch.zeros(1, 3, 6), torch.arange(3)), "made for 4 features and met 6"),
        (lambda: PlaceAndDepth(2, 7), "should be even, got 7"),
        (lambda: PlaceAndDepth(0, 8), "at least one head"),
        (lambda: PlaceAndDepth(2, 8, base=0.0), "base should be above 0, got 0.0"),
        (lambda: Rotary(8, float("nan")), "base should be above 0, got nan"),
    ],
)
def test_what_cannot_be_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
