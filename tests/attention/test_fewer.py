"""Dropped weights: what is left is the rows' own, scaled to the mass they had; effect is what the output would miss."""

import re

import pytest
import torch

from attn_course.attention import MultiHead, attention_weights, causal, padding, reweighing, visible_where, watching
from attn_course.attention.fewer import above, columns, effect, kept, top

torch.set_num_threads(1)


def weights_of(visible=None, n=9, seed=0, gain=3.0):
    q, k = torch.randn(2, 2, 3, n, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return attention_weights(gain * q, k, visible)


def by_hand(weights, chosen):
    """Row by row in plain Python: keep the places that `chosen` names, and the largest; scale to the old mass."""
    out = torch.zeros_like(weights)
    for b, h, i in torch.cartesian_prod(*map(torch.arange, weights.shape[:3])).tolist():
        row = weights[b, h, i].tolist()
        places = set(chosen(b, h, i, row)) | {max(range(len(row)), key=lambda j: row[j])}
        held = sum(row[j] for j in places)
        for j in places:
            out[b, h, i, j] = row[j] / held * sum(row) if held else 0.0
    return out


@pytest.mark.parametrize("visible", [None, causal, causal & padding(torch.arange(9) > 1)], ids=str)
def test_each_way_of_dropping_is_what_one_would_do_by_hand(visible):
    weights = weights_of(visible)
    for epsilon in (0.0, 0.01, 0.2, 1.0):
        wanted = by_hand(weights, lambda b, h, i, row, e=epsilon: [j for j, w in enumerate(row) if w >= e])
        torch.testing.assert_close(above(weights, epsilon), wanted)
    for k in (1, 3, 9, 40):
        wanted = by_hand(weights, lambda b, h, i, row, k=k: sorted(range(9), key=lambda j: -row[j])[:k])
        torch.testing.assert_close(top(weights, k), wanted)
    few = torch.zeros(9, dtype=torch.bool).index_fill(0, torch.tensor([2, 7]), True)
    wanted = by_hand(weights, lambda b, h, i, row: [2, 7])
    for keep in (few, few.expand(2, 9), few.expand(2, 3, 9)):
        torch.testing.assert_close(columns(weights, keep), wanted)


def test_a_limit_may_differ_from_row_to_row():
    weights = weights_of(causal)
    even = 1 / torch.arange(1, 10, dtype=torch.float64)[:, None]
    wanted = by_hand(weights, lambda b, h, i, row: [j for j, w in enumerate(row) if w >= 1 / (i + 1)])
    torch.testing.assert_close(above(weights, even), wanted)


def test_gradients_reach_what_is_left():
    weights = weights_of().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: top(w, 3), weights.detach()[:1, :1, :2].requires_grad_())
    kept(weights, weights > 0.05).sum().backward()
    assert weights.grad.isfinite().all()


def test_effect_is_what_the_output_misses_without_the_key():
    torch.manual_seed(0)
    layer = MultiHead(24, 3).double()
    x = torch.randn(2, 7, 24, dtype=torch.float64)
    with watching(layer) as records:
        whole = layer(x)
    found = effect(records[0].weights, records[0].v, layer.w_o.weight)
    for head, i, j in ((0, 0, 0), (1, 3, 5), (2, 6, 1)):

        def change(name, weights, head=head, j=j):
            weights = weights.clone()
            weights[:, head, :, j] = 0  # dropped, and the rest left as it is
            return weights

        with reweighing(layer, change):
            without = layer(x)
        torch.testing.assert_close(found[:, head, i, j], (whole - without)[:, i].norm(dim=-1))


def test_a_weight_that_is_the_limit_stays():
    weights = torch.tensor([0.5, 0.25, 0.125, 0.125])[None, None, None]
    assert (above(weights, 0.125) == weights).all() and (above(weights, 0.25) > 0).sum() == 2


@pytest.mark.parametrize("epsilon", [-0.1, 1.5, float("nan")])
def test_a_limit_that_is_no_weight_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon is a weight, from 0 to 1"):
        above(weights_of(), epsilon)


def test_nothing_kept_and_other_layers_are_refused():
    with pytest.raises(ValueError, match="at least one weight, got k=0"):
        top(weights_of(), 0)
    with pytest.raises(ValueError, match="w_o has 20 columns, 3 heads of 8 features need 24"):
        effect(weights_of(), torch.zeros(2, 3, 9, 8).double(), torch.zeros(24, 20).double())
    for shape in ((8,), (3, 9), (2, 5, 9), (1, 2, 3, 9)):
        with pytest.raises(ValueError, match=rf"True or False of 9 keys, got shape {re.escape(str(shape))}"):
            columns(weights_of(), torch.ones(shape, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"of torch.int64; with a text's own, it is"):
        columns(weights_of(), torch.ones(9, dtype=torch.long))
    with pytest.raises(ValueError, match=r"^epsilon is a weight, from 0 to 1, got 2.$"):
        above(weights_of(), torch.tensor([0.1] * 8 + [2.0]))
    with pytest.raises(ValueError, match=r"epsilon of shape \(5,\) does not spread"):
        above(weights_of(), torch.full((5,), 0.1))


def test_a_row_that_sees_nothing_stays_empty():
    weights = weights_of(visible_where(lambda i, j: i > 3))
    assert weights[0, 0, 0].sum() == 0
    for fewer in (above(weights, 0.1), top(weights, 2)):
        assert fewer[:, :, :4].abs().sum() == 0
        torch.testing.assert_close(fewer.sum(-1), weights.sum(-1))
