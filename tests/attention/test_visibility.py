"""Predicates against loops over cells, against each other's algebra, and against what attention does with them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_course.attention import (
    attention,
    causal,
    document,
    everything,
    padding,
    sinks,
    visible_where,
    window,
)

IDS = torch.tensor([3, 3, 3, 1, 1, 7, 7, 7])
KEEP = torch.tensor([True, True, False, True, True, True, True, False])
ATOMS = {
    "everything": (everything, lambda i, j: True),
    "causal": (causal, lambda i, j: j <= i),
    "window(1)": (window(1), lambda i, j: i == j),
    "window(3)": (window(3), lambda i, j: abs(i - j) < 3),
    "sinks(0)": (sinks(0), lambda i, j: False),
    "sinks(2)": (sinks(2), lambda i, j: j < 2),
    "document(ids)": (document(IDS), lambda i, j: bool(IDS[i] == IDS[j])),
    "padding(keep)": (padding(KEEP), lambda i, j: bool(KEEP[j])),
}
LENGTHS = st.integers(1, 8)


@st.composite
def rules(draw, depth=3):
    """A random composition, as the course's object and as plain Python over (i, j)."""
    if depth == 0 or draw(st.booleans()):
        return ATOMS[draw(st.sampled_from(sorted(ATOMS)))]
    ours, plain = draw(rules(depth - 1))
    sign = draw(st.sampled_from("&|~"))
    if sign == "~":
        return ~ours, lambda i, j: not plain(i, j)
    others, plains = draw(rules(depth - 1))
    if sign == "&":
        return ours & others, lambda i, j: plain(i, j) and plains(i, j)
    return ours | others, lambda i, j: plain(i, j) or plains(i, j)


def by_cells(plain, n_query, n_key):
    first = n_key - n_query
    return torch.tensor([[plain(first + a, j) for j in range(n_key)] for a in range(n_query)])


@settings(max_examples=150, deadline=None)
@given(rules(), LENGTHS)
def test_dense_is_the_predicate_cell_by_cell_with_queries_at_the_end(rule, n_query):
    ours, plain = rule
    assert torch.equal(ours.dense(n_query, 8), by_cells(plain, n_query, 8))


@settings(max_examples=60, deadline=None)
@given(rules(), LENGTHS)
def test_its_name_rebuilds_it(rule, n_query):
    ours, _ = rule
    names = {"causal": causal, "everything": everything, "window": window, "sinks": sinks}
    rebuilt = eval(repr(ours), names | {"document": document, "padding": padding, "ids": IDS, "keep": KEEP})
    assert torch.equal(ours.dense(n_query, 8), rebuilt.dense(n_query, 8))


@settings(max_examples=60, deadline=None)
@given(rules(), LENGTHS, st.integers(1, 9))
def test_blocks_say_none_some_or_all(rule, n_query, block):
    ours, _ = rule
    dense, layout = ours.dense(n_query, 8), ours.blocks(n_query, 8, block)
    for a in range(0, n_query, block):
        for b in range(0, 8, block):
            tile = dense[a : a + block, b : b + block]
            want = 2 if tile.all() else 1 if tile.any() else 0
            assert layout.kind[a // block, b // block] == want
    assert layout.computed == pytest.approx((layout.kind > 0).float().mean().item())
    assert layout.kind.shape == (-(-n_query // block), -(-8 // block))


def test_names_have_brackets_only_where_they_are_needed():
    assert repr(causal & (window(3) | sinks(1)) & window(8)) == "causal & (window(3) | sinks(1)) & window(8)"
    assert repr(causal | window(3) | sinks(1)) == "causal | window(3) | sinks(1)"
    assert repr(~(causal & sinks(1)) & ~causal) == "~(causal & sinks(1)) & ~causal"


def test_window_serves_both_directions_and_looks_back_w_minus_one():
    assert window(2).dense(4).sum(-1).tolist() == [2, 3, 3, 2]
    assert (causal & window(3)).dense(6).sum(-1).tolist() == [1, 2, 3, 3, 3, 3]


def test_a_batch_gives_one_matrix_a_sequence_that_heads_share():
    keep = torch.tensor([[True, True, False], [True, False, False]])
    ids = torch.tensor([[0, 0, 1], [0, 1, 1]])
    dense = (causal & padding(keep) & document(ids)).dense(3)
    assert dense.shape == (2, 1, 3, 3)
    for b in range(2):
        for i in range(3):
            for j in range(3):
                assert dense[b, 0, i, j] == (j <= i and bool(keep[b, j]) and bool(ids[b, i] == ids[b, j]))
    assert (causal & padding(keep)).blocks(3, block=2).kind.shape == (2, 1, 2, 2)
    q = k = v = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    solo = [attention(q[b], k[b], v[b], causal & padding(keep[b])) for b in range(2)]
    assert torch.allclose(attention(q, k, v, causal & padding(keep)), torch.stack(solo), atol=1e-12)


def test_what_may_not_be_seen_does_not_matter():
    rule = causal & document(IDS) & padding(KEEP)
    q, k, v = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    seen = rule.dense(8)
    for i in range(8):
        hidden = ~seen[i][:, None]
        noise = torch.randn(8, 4, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
        moved = attention(q, torch.where(hidden, noise, k), torch.where(hidden, noise, v), rule)
        assert torch.equal(moved[i], attention(q, k, v, rule)[i])


def test_decoding_one_token_equals_the_last_row():
    q, k, v = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rule = causal & (window(3) | sinks(1)) & document(IDS)
    full = attention(q, k, v, rule)
    for n in (1, 2, 5):
        assert torch.allclose(attention(q[-n:], k, v, rule), full[-n:], atol=1e-12)


def test_a_rule_of_your_own():
    third = visible_where(lambda i, j: (i - j) % 3 == 0, "every third")
    assert (causal & third).dense(7)[6].tolist() == [True, False, False, True, False, False, True]
    assert repr(~(causal & third)) == "~(causal & every third)"


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: causal & window, TypeError, "Did you forget the argument, as in window(4)?"),
        (lambda: window(0), ValueError, "from 1 up, got 0"),
        (lambda: window(2.5), ValueError, "whole number"),
        (lambda: sinks(-1), ValueError, "from 0 up"),
        (lambda: padding([True]), ValueError, "wants a tensor"),
        (lambda: padding(torch.ones(3)), TypeError, "keep.bool()"),
        (lambda: document(torch.zeros(2, 3, 4)), ValueError, "(key,) or (batch, key)"),
        (lambda: padding(KEEP).dense(5), ValueError, "padding(keep) knows 8 tokens, but there are 5 keys"),
        (lambda: padding(KEEP) & document(IDS[:4]), ValueError, "they must agree"),
        (lambda: causal.dense(5, 3), ValueError, "5 queries cannot be the last of 3 keys"),
        (lambda: causal.dense(0), ValueError, "at least one query"),
        (lambda: causal.blocks(4, block=0), ValueError, "block should be at least 1"),
        (lambda: visible_where(lambda i, j: i - j, "wrong").dense(3), TypeError, "True and False, got torch.int64"),
    ],
)
def test_bad_input_gets_one_sentence(make, error, says):
    with pytest.raises(error) as caught:
        make()
    assert says in str(caught.value) and "\n" not in str(caught.value)
