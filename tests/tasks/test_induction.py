"""Repeating rows: what repeats, what is predictable, and scores that a perfect and a useless head must get."""

import math

import pytest
import torch

from attn_course.tasks.induction import (
    LENGTH,
    VOCABULARY,
    InductionBatch,
    best,
    induction_batch,
    prefix_match,
    previous_token,
    repeat_accuracy,
)


def drawn(seed=0, **options):
    return induction_batch(torch.Generator().manual_seed(seed), **options)


def test_rows_repeat_after_their_period_and_not_before():
    batch = drawn(batch=200)
    assert batch.tokens.shape == (200, LENGTH) and batch.tokens.max() < VOCABULARY
    assert set(batch.period.tolist()) == set(range(8, 33))
    for row, period in zip(batch.tokens.tolist(), batch.period.tolist(), strict=True):
        assert len(set(row[:period])) == period
        assert row[period:] == row[:-period]


def test_a_fixed_period_and_the_same_rows_for_the_same_seed():
    assert set(drawn(periods=32).period.tolist()) == {32}
    assert torch.equal(drawn(3).tokens, drawn(3).tokens) and not torch.equal(drawn(3).tokens, drawn(4).tokens)
    for periods in (0, 64, (9, 8)):
        with pytest.raises(ValueError, match="A period goes from 1 to 63"):
            drawn(periods=periods)


def test_predictable_means_that_the_present_token_has_occurred():
    batch = drawn(batch=50)
    for row, where in zip(batch.tokens.tolist(), batch.predictable.tolist(), strict=True):
        assert where == [row[at] in row[:at] for at in range(LENGTH - 1)]


def what_followed(batch):
    """Scores of the rule itself: one for the token that followed last time, zero for all others."""
    scores = torch.zeros(len(batch.tokens), LENGTH - 1, VOCABULARY)
    for b, row in enumerate(batch.tokens.tolist()):
        for at in range(LENGTH - 1):
            before = [j for j in range(at) if row[j] == row[at]]
            if before:
                scores[b, at, row[before[-1] + 1]] = 1
    return scores


def test_the_rule_is_right_everywhere_and_a_guess_once_in_64():
    batch = drawn(batch=100)
    assert repeat_accuracy(what_followed(batch), batch) == 1
    noise = torch.randn(100, LENGTH - 1, VOCABULARY, generator=torch.Generator().manual_seed(0))
    assert abs(repeat_accuracy(noise, batch) - 1 / VOCABULARY) < 0.008


def heads_of(batch):
    """Weights of five heads: what followed before, the token before, oneself, even, and 20 tokens back."""
    n = LENGTH - 1
    weights = torch.zeros(len(batch.tokens), 5, n, n, dtype=torch.float64)
    for b, row in enumerate(batch.tokens.tolist()):
        for at in range(n):
            followed = [j for j in range(1, at + 1) if row[j - 1] == row[at]]
            weights[b, 0, at, followed or [0]] = 1 / max(1, len(followed))
            weights[b, 1, at, max(0, at - 1)] = 1
            weights[b, 2, at, at] = 1
            weights[b, 3, at, : at + 1] = 1 / (at + 1)
            weights[b, 4, at, max(0, at - 19)] = 1
    return weights


def test_scores_of_heads_that_are_known():
    batch = drawn(batch=20)
    weights = heads_of(batch)
    match = prefix_match(weights, batch)
    assert match[0].item() == pytest.approx(1) and match[1:3].tolist() == pytest.approx([0, 0])
    even = [  # earlier occurrences of the present token, over all tokens seen: counted one by one
        sum(row[j - 1] == row[at] for j in range(1, at + 1)) / (at + 1)
        for row, period in zip(batch.tokens.tolist(), batch.period.tolist(), strict=True)
        for at in range(period, LENGTH - 1)
    ]
    assert match[3].item() == pytest.approx(sum(even) / len(even))
    before = previous_token(weights)
    assert before[1].item() == pytest.approx(1) and before[2].item() == pytest.approx(0)
    harmonic = sum(1 / (at + 1) for at in range(1, LENGTH - 1)) / (LENGTH - 2)
    assert before[3].item() == pytest.approx(harmonic)
    assert best([match, before]) == pytest.approx(1)


def test_a_fixed_distance_matches_its_own_period_only():
    """Why the score alone does not show an induction head: 19 back is what followed, if the period is 20."""
    own, other = drawn(batch=10, periods=20), drawn(batch=10, periods=13)
    assert prefix_match(heads_of(own), own)[4].item() == pytest.approx(1)
    assert prefix_match(heads_of(other), other)[4].item() == pytest.approx(0)


def test_guessing_costs_the_logarithm():
    """Before the period is over nothing can be known, so the loss there is that of 64 tokens, or of those left."""
    assert math.log(VOCABULARY) == pytest.approx(4.16, abs=0.005)
    batch = InductionBatch(torch.arange(LENGTH)[None], torch.tensor([40]))
    assert batch.predictable.sum() == LENGTH - 1 - 40
