"""Bigrams and copies: what follows what, which queries ask, what they need, and the smallest loss, counted by hand."""

import itertools
import math

import pytest
import torch

from attn_course.tasks.backcopy import BEGIN, TRIGGERS, Backcopy, BackcopyBatch


def drawn(seed=0, rows=200, length=32, skip=0, **source):
    return Backcopy(**source).batch(torch.Generator().manual_seed(seed), rows, length, skip)


def test_a_trigger_is_followed_by_the_token_before_it():
    batch = drawn(asking=0.3)
    assert batch.tokens.shape == (200, 33) and (batch.tokens[:, 0] == BEGIN).all() and batch.tokens[:, 1:].min() > BEGIN
    found = 0
    for row in batch.tokens.tolist():
        for at in range(2, 32):
            if row[at] <= TRIGGERS:
                found += 1
                assert row[at + 1] == row[at - 1] > TRIGGERS
    assert found == batch.asks.sum() > 500


def test_other_tokens_follow_the_table():
    source = Backcopy(asking=0.2, vocabulary=7)
    assert source.table[4:].sum(dim=-1).tolist() == pytest.approx([1] * 3) and not source.table[4:, BEGIN].any()
    assert source.table[4:, 1:4].sum(dim=-1).tolist() == pytest.approx([0.2] * 3)
    batch = source.batch(torch.Generator().manual_seed(0), 2000)
    counts = torch.zeros(7, 7)
    for a in range(4, 7):
        counts[a] = torch.bincount(batch.wanted[batch.read == a], minlength=7)
    assert (counts[4:] / counts[4:].sum(-1, keepdim=True) - source.table[4:]).abs().max() < 0.02


def test_a_wider_window_repeats_any_ordinary_token_in_it():
    batch = drawn(asking=0.5, window=4)
    distances = set()
    for row, chances in zip(batch.tokens.tolist(), batch.chance.tolist(), strict=True):
        for at in range(1, 32):
            if BEGIN < row[at] <= TRIGGERS:
                before = [t for t in row[max(0, at - 4) : at] if t > TRIGGERS]
                assert row[at + 1] in before
                assert chances[at] == pytest.approx(before.count(row[at + 1]) / len(before))
                distances |= {back for back in range(1, 5) if row[at - back] == row[at + 1]}
    assert distances == {1, 2, 3, 4}


def test_which_queries_ask_and_what_they_need():
    batch = BackcopyBatch(torch.tensor([[0, 9, 8, 2, 8, 1, 8]]), torch.ones(1, 6), window=3)
    assert batch.asks.tolist() == [[False, False, False, True, False, True]]
    assert batch.rests.tolist() == [[False, False, True, False, True, False]]  # not at places 0 and 1
    assert batch.needed[0].nonzero().tolist() == [[3, 1], [3, 2], [5, 2], [5, 4]]


def test_the_ideal_loss_is_that_of_the_table_and_the_rule():
    source, batch = Backcopy(), drawn()
    total = 0.0
    for row in batch.tokens.tolist():
        for now, following in itertools.pairwise(row):
            total -= 0.0 if BEGIN < now <= TRIGGERS else math.log(source.table[now, following])
    assert batch.ideal_loss == pytest.approx(total / (200 * 32))
    assert math.isclose(-math.log(source.table[BEGIN, 4]), math.log(44))


def test_doses_at_their_ends_and_rows_without_a_beginning():
    assert not drawn(asking=0.0).asks.any()
    every_other = drawn(asking=1.0).asks
    assert every_other[:, 2::2].all() and not every_other[:, 1::2].any()
    cut = drawn(skip=8)
    assert cut.tokens.shape == (200, 33) and (cut.tokens > BEGIN).all()
    assert torch.equal(cut.tokens, drawn(length=40).tokens[:, 8:])
    assert torch.equal(drawn(3).tokens, drawn(3).tokens) and not torch.equal(drawn(3).tokens, drawn(4).tokens)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"asking": 1.5}, "from 0 to 1"), ({"window": 0}, "1 or more"), ({"vocabulary": 5}, "two ordinary tokens")],
)
def test_what_cannot_be_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Backcopy(**wrong)


def test_an_empty_batch_is_refused():
    for wrong in ({"rows": 0}, {"length": 0}, {"skip": -1}):
        with pytest.raises(ValueError, match="one row of one token"):
            drawn(**wrong)
