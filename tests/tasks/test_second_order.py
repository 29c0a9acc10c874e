"""The second-order source: its shares and its three losses against drawn tokens and against a chain made by hand."""

import math

import pytest
import torch

from attn_course.tasks.second_order import SecondOrderSource


def test_probabilities_sum_to_one_and_the_long_run_stays_as_it_is():
    source = SecondOrderSource(4, 2.0)
    torch.testing.assert_close(source.table.sum(-1), torch.ones(4, 4, dtype=torch.float64))
    moved = torch.einsum("ab,abc->bc", source.stationary, source.table)
    torch.testing.assert_close(moved, source.stationary)
    assert source.stationary.sum().item() == pytest.approx(1)


def test_drawn_tokens_follow_the_table_and_the_long_run_shares():
    source = SecondOrderSource(3, 1.5)
    tokens = source.sample(torch.Generator().manual_seed(0), 4000, 12)
    a, b, c = (tokens[:, at : at + 10].flatten() for at in (0, 1, 2))
    counts = torch.zeros(3, 3, 3, dtype=torch.float64).index_put(
        (a, b, c), torch.ones(len(a), dtype=torch.float64), accumulate=True
    )
    torch.testing.assert_close(counts.sum(-1) / counts.sum(), source.stationary, atol=0.01, rtol=0)
    torch.testing.assert_close(counts / counts.sum(-1, keepdim=True), source.table, atol=0.04, rtol=0)


def test_each_loss_is_what_its_predictor_pays_on_drawn_tokens():
    source = SecondOrderSource()
    tokens = source.sample(torch.Generator().manual_seed(1), 4000, 16)
    a, b, c = tokens[:, :-2].flatten(), tokens[:, 1:-1].flatten(), tokens[:, 2:].flatten()
    pairs = torch.einsum("ab,abc->bc", source.stationary, source.table)
    predictors = {
        source.entropy: source.table[a, b, c],
        source.one_back: (pairs / pairs.sum(-1, keepdim=True))[b, c],
        source.shares_only: source.stationary.sum(0)[c],
    }
    for known, probability in predictors.items():
        assert -probability.log().mean().item() == pytest.approx(known, abs=0.02)
    assert source.entropy < source.one_back - 0.3 < source.shares_only - 0.5


def test_a_source_that_looks_one_back_gains_nothing_from_two():
    source = SecondOrderSource(4)
    source.table = source.table[:1].expand(4, 4, 4).contiguous()
    assert source.entropy == pytest.approx(source.one_back)


def test_a_uniform_source_is_log_states():
    source = SecondOrderSource(6, sharpness=0.0)
    for loss in (source.entropy, source.one_back, source.shares_only):
        assert loss == pytest.approx(math.log(6))


def test_what_cannot_be_drawn_gets_a_sentence():
    with pytest.raises(ValueError, match="take 2 states or more, got 1"):
        SecondOrderSource(1)
    with pytest.raises(ValueError, match="length is 2 or more, got 1"):
        SecondOrderSource().sample(torch.Generator(), 1, 1)
