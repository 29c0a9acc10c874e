"""Every vital against slow loops and numpy or scipy in float64, closed forms, published numbers, and the real model."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy

from attn_course.attention import attention, attention_scores, attention_weights, causal, padding, window
from attn_course.diagnosis import vitals
from attn_course.models.pretrained import load

SHAPES = st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 6), st.integers(0, 4))
# batch, head, query, and keys before the first query


def draw(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn(shape, seed, scale=1.0, visible=None):
    """Scores and weights in float64, (batch, head, query, key)."""
    batch, head, query, more = shape
    q, k = draw(batch, head, query, 4, seed=seed, scale=scale), draw(batch, head, query + more, 4, seed=seed + 1)
    return attention_scores(q, k, visible), attention_weights(q, k, visible)


def rows_of(tensor):
    return tensor.flatten(0, -2).numpy()


def rows_agree(found, weights, oracle, tolerance=1e-12):
    """oracle: one row of weights, its query's position, the keys' positions → a number."""
    n_query, n_key = weights.shape[-2:]
    for (b, h, i), value in np.ndenumerate(found.numpy()):
        row = weights[b, h, i].numpy()
        expected = oracle(row, n_key - n_query + i, np.arange(n_key))
        assert abs(value - expected) <= tolerance * max(1, abs(expected)), (b, h, i, value, expected)


# ---- rows ----


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(0, 99), st.sampled_from([0.1, 1.0, 30.0]), st.booleans())
def test_row_measures_equal_slow_ones(shape, seed, scale, is_causal):
    visible = causal if is_causal else None
    scores, weights = drawn(shape, seed, scale, visible)
    seen = (lambda i, n: i + 1) if is_causal else (lambda i, n: n)
    rows_agree(vitals.entropy(weights), weights, lambda p, i, j: scipy_entropy(p))
    rows_agree(
        vitals.normalised_entropy(weights, visible),
        weights,
        lambda p, i, j: 0 if seen(i, len(j)) < 2 else scipy_entropy(p) / math.log(seen(i, len(j))),
    )
    rows_agree(vitals.mean_distance(weights), weights, lambda p, i, j: sum(p * abs(i - j)))
    rows_agree(vitals.participation(weights), weights, lambda p, i, j: 1 / sum(p**2))
    rows_agree(vitals.set_mass(weights, [0]), weights, lambda p, i, j: p[0])
    small = vitals.sparsity(weights, visible, epsilon=0.1)
    rows_agree(small, weights, lambda p, i, j: np.mean(p[: seen(i, len(j))] < 0.1))
    rows_agree(vitals.keys_needed(weights), weights, slow_keys_needed)
    rows_agree(vitals.window(weights), weights, slow_window)
    rows_agree(vitals.coverage(weights, visible), weights, lambda p, i, j: slow_keys_needed(p, i, j) / seen(i, len(j)))
    paid = np.where(weights > 0, weights * scores, 0).sum(-1)
    assert np.abs(vitals.energy(weights, scores).numpy() - paid).max() <= 1e-12 * max(1, np.abs(paid).max())


def slow_keys_needed(p, i, j):
    ranked = sorted(p, reverse=True)
    return next(count for count in range(1, len(p) + 1) if sum(ranked[:count]) >= 0.96 * sum(p) * (1 - 1e-6))


def slow_window(p, i, j):
    return next(w for w in range(1, len(p) + 1) if p[abs(i - j) < w].sum() >= 0.96 * sum(p) * (1 - 1e-6))


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(0, 99), st.sampled_from([0.1, 1.0, 30.0]))
def test_entropy_is_log_partition_minus_energy(shape, seed, scale):
    scores, weights = drawn(shape, seed, scale)
    free = scores.logsumexp(-1) - vitals.energy(weights, scores)
    assert (vitals.entropy(weights) - free).abs().max() <= 1e-9


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(0, 99), st.sampled_from([0.1, 1.0, 30.0]))
def test_measures_stay_in_their_range_and_in_order(shape, seed, scale):
    _, weights = drawn(shape, seed, scale)
    n = weights.shape[-1]
    h, shared = vitals.entropy(weights), vitals.participation(weights)
    assert h.min() >= -1e-12 and h.max() <= math.log(n) + 1e-12
    assert shared.min() >= 1 - 1e-12 and (shared <= h.exp() + 1e-9).all()  # Rényi's orders fall
    assert (shared.log() >= -weights.amax(-1).log() - 1e-9).all()  # … down to −log max A
    assert vitals.keys_needed(weights).min() >= 1 and vitals.keys_needed(weights).max() <= n
    assert (vitals.window(weights) <= n).all() and (vitals.coverage(weights) <= 1).all()
    assert (vitals.keys_needed(weights, 0.5) <= vitals.keys_needed(weights, 0.99)).all()
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    for measure in (vitals.entropy, vitals.participation, vitals.keys_needed, vitals.sparsity):
        assert torch.allclose(measure(weights), measure(weights[..., order]), atol=1e-12)  # order plays no part


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_uniform_and_one_hot_rows_have_the_closed_forms(n):
    uniform = torch.full((1, 1, n, n), 1 / n, dtype=torch.float64)
    assert torch.allclose(vitals.entropy(uniform), torch.tensor(math.log(n), dtype=torch.float64))
    assert torch.allclose(vitals.normalised_entropy(uniform), torch.tensor(float(n > 1), dtype=torch.float64))
    assert torch.allclose(vitals.participation(uniform), torch.tensor(float(n), dtype=torch.float64))
    assert torch.allclose(vitals.mean_distance(uniform)[0, 0, 0], torch.tensor((n - 1) / 2, dtype=torch.float64))
    assert vitals.keys_needed(uniform).unique().tolist() == [math.ceil(0.96 * n)]
    one_hot = torch.eye(n, dtype=torch.float64)[None, None]
    assert vitals.entropy(one_hot).abs().max() == 0 and vitals.mean_distance(one_hot).max() == 0
    assert vitals.participation(one_hot).unique().tolist() == [1] == vitals.window(one_hot).unique().tolist()


def test_a_query_that_sees_nothing_has_zero_everywhere():
    keep = torch.tensor([[False, False, True, True]])
    visible = causal & padding(keep)
    scores, weights = drawn((1, 2, 4, 0), 3, visible=visible)
    assert (weights[:, :, :2] == 0).all()
    found = [
        vitals.entropy(weights),
        vitals.normalised_entropy(weights, visible),
        vitals.energy(weights, scores),
        vitals.participation(weights),
        vitals.mean_distance(weights),
        vitals.set_mass(weights, [2]),
        vitals.sparsity(weights, visible),
        vitals.keys_needed(weights),
        vitals.coverage(weights, visible),
        vitals.window(weights),
        vitals.divergence(weights)[..., 0].transpose(1, 2),
    ]
    for measure in found:
        assert (measure[:, :, :2] == 0).all() and measure.isfinite().all()
    assert (vitals.normalised_entropy(weights, visible)[:, :, 2] == 0).all()  # one visible key


def test_fewer_queries_than_keys_stand_at_the_end():
    _, whole = drawn((1, 2, 6, 0), 0, visible=causal)
    last = whole[:, :, 4:]
    for measure in (vitals.mean_distance, vitals.window):
        assert torch.equal(measure(last), measure(whole)[:, :, 4:])
    assert torch.equal(vitals.normalised_entropy(last, causal), vitals.normalised_entropy(whole, causal)[:, :, 4:])


def test_a_set_may_be_numbers_or_marks_also_one_for_each_sequence():
    _, weights = drawn((2, 2, 3, 2), 0)
    marks = torch.tensor([[True, False, False, True, False], [False, True, False, False, False]])
    found = vitals.set_mass(weights, marks)
    assert torch.equal(found[0], vitals.set_mass(weights, [0, 3])[0])
    assert torch.equal(found[1], vitals.set_mass(weights, [1])[1])
    assert (vitals.set_mass(weights, []) == 0).all()


# ---- keys, heads, scores ----


@settings(max_examples=30, deadline=None)
@given(SHAPES, st.integers(0, 99), st.sampled_from([0.1, 1.0, 30.0]))
def test_received_sums_to_the_queries_and_columns_are_counted(shape, seed, scale):
    _, weights = drawn(shape, seed, scale)
    taken = vitals.received(weights)
    assert torch.allclose(taken.sum(-1), torch.tensor(float(shape[2]), dtype=torch.float64))
    needed = vitals.columns_needed(taken)
    for b, h in np.ndindex(needed.shape):
        assert needed[b, h] == slow_keys_needed(weights[b, h].sum(0).numpy(), 0, 0)


@settings(max_examples=30, deadline=None)
@given(SHAPES, st.integers(0, 99), st.sampled_from([0.1, 1.0, 30.0]))
def test_divergence_is_scipy_s_distance_squared(shape, seed, scale):
    _, weights = drawn(shape, seed, scale)
    found = vitals.divergence(weights)
    for (b, i, one, other), value in np.ndenumerate(found.numpy()):
        p, q = weights[b, one, i].numpy(), weights[b, other, i].numpy()
        assert abs(value - np.nan_to_num(jensenshannon(p, q, base=2)) ** 2) < 1e-9
    assert torch.allclose(found, found.transpose(-1, -2), atol=1e-12) and found.max() <= 1 + 1e-12


def test_disjoint_heads_diverge_by_one_bit():
    weights = torch.eye(2, dtype=torch.float64).view(1, 2, 1, 2)
    assert vitals.divergence(weights).tolist() == [[[[0, 1], [1, 0]]]]


def test_max_logit_and_largest_product_are_numpy_s():
    q, k = draw(2, 3, 4, 8, seed=1), draw(2, 3, 6, 8, seed=2)
    raw = np.einsum("bhid,bhjd->bhij", q, k)
    assert np.allclose(vitals.largest_product(q, k), np.abs(raw).max((-2, -1)))
    assert np.allclose(vitals.max_logit(attention_scores(q, k)), raw.max((-2, -1)) / math.sqrt(8))


def test_overflow_before_the_scale_is_seen_where_float16_gives_infinity():
    """23 · 23 · 128 = 67712, past 65504, though the scaled score is only 5985."""
    q = torch.full((1, 1, 1, 128), 23.0, dtype=torch.float16)
    assert vitals.largest_product(q, q).item() == 67712 and vitals.overflow(q, q).item()
    assert (q @ q.mT).isinf().all()
    assert not vitals.overflow(q * 0.98, q * 0.98).item() and (q * 0.98 @ (q * 0.98).mT).isfinite().all()


def test_cka_is_that_of_features_and_knows_rotations():
    outputs = draw(2, 3, 30, 4, seed=0)
    turned = outputs[:, :1] @ torch.linalg.qr(draw(4, 4, seed=1)).Q * 3 + 7
    outputs = torch.cat([outputs, turned, torch.ones_like(turned)], dim=1)
    found = vitals.cka(outputs)
    x = (outputs - outputs.mean(2, keepdim=True)).numpy()
    for b, one, other in np.ndindex(2, 4, 4):
        a, c = x[b, one], x[b, other]
        between = np.linalg.norm(c.T @ a) ** 2
        assert abs(found[b, one, other] - between / np.linalg.norm(a.T @ a) / np.linalg.norm(c.T @ c)) < 1e-12
    assert torch.allclose(found[:, 0, 3], torch.ones(2, dtype=torch.float64))
    assert (found[:, 4] == 0).all()  # gives every token the same
    assert (found[:, 0, 1] < 0.5).all()  # two draws of noise are not alike


def test_head_importance_is_what_silencing_a_head_costs_where_the_loss_is_linear():
    outputs, readout = draw(1, 3, 4, 5, seed=0).requires_grad_(), draw(1, 3, 4, 5, seed=1)
    loss = (outputs * readout).sum()
    (gradient,) = torch.autograd.grad(loss, outputs)
    for head in range(3):
        keep = torch.ones(3, dtype=torch.float64)
        keep[head] = 0
        cost = (loss - (outputs * keep[:, None, None] * readout).sum()).abs()
        assert abs(vitals.head_importance(outputs.detach(), gradient)[head] - cost) < 1e-12
    outputs, gradient = draw(2, 3, 4, 5, seed=2), draw(2, 3, 4, 5, seed=3)
    slow = np.abs(np.einsum("bhtd,bhtd->bh", outputs, gradient)).mean(0)
    assert np.allclose(vitals.head_importance(outputs, gradient), slow)
    scaled = vitals.normalised_by_layer(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    assert scaled.tolist() == [[0.6000000238418579, 0.800000011920929], [0, 0]]


# ---- sinks and bounds ----


def test_a_text_of_one_repeated_token_has_the_uniform_floor_and_no_sink():
    """Gu et al. 2024: without positions, A_ti = 1/t whatever the weights."""
    token = draw(1, 2, 1, 8, seed=0).expand(1, 2, 64, 8)
    weights = attention_weights(token, 3 * token, causal)
    assert torch.allclose(weights[0, 0, 9, :10], torch.full((10,), 0.1, dtype=torch.float64))
    assert abs(vitals.sink_floor(64) - 0.0741) < 5e-5 and abs(vitals.sink_floor(64) - 0.07412) < 5e-6
    assert (vitals.sink_mass(weights) - vitals.sink_floor(64)).abs().max() < 1e-12
    assert vitals.sink_rate([weights]) == 0 and vitals.sink_rate([weights], epsilon=0.07) == 1


def test_sink_mass_is_the_mean_over_the_queries_from_there_on():
    _, weights = drawn((2, 2, 5, 0), 4, visible=causal)
    for key in range(5):
        slow = np.mean([weights[:, :, t, key].numpy() for t in range(key, 5)], axis=0)
        assert np.allclose(vitals.sink_mass(weights, key), slow)
    _, last = drawn((1, 1, 2, 3), 4, visible=causal)  # queries 3 and 4 of 5
    assert torch.allclose(vitals.sink_mass(last, 4), last[..., 1, 4])


def test_sink_rate_counts_layers_heads_and_sequences():
    sink = torch.zeros(1, 1, 4, 4)
    sink[..., 0] = 1
    none = torch.full((1, 1, 4, 4), 0.25)
    assert vitals.sink_rate([torch.cat([sink, none], 1), torch.cat([none, none], 1)]) == 0.25


def test_dilution_has_the_known_values_and_is_attained():
    assert round(vitals.dilution_bound(6, 64), 3) == 0.865
    assert round(vitals.dilution_bound(6, 16_384), 3) == 0.024
    scores = torch.zeros(64, dtype=torch.float64)
    scores[3] = 6
    assert abs(scores.softmax(0).max() - vitals.dilution_bound(6, 64)) < 1e-12
    assert vitals.dilution_bound(5000, 10) == 1 and vitals.dilution_bound(0, 10) == 0.1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.floats(0, 8), st.integers(0, 99))
def test_no_row_with_bounded_gap_passes_the_dilution_bound(n, gap, seed):
    scores = draw(n, seed=seed)
    spread = scores.max() - scores.min()
    scores = scores * (gap / spread if spread > 0 else 0)
    assert scores.softmax(0).max() <= vitals.dilution_bound(gap, n) + 1e-12


@pytest.mark.parametrize(("n", "sigma", "known"), [(64, 2, 4.041087), (64, 8, 0.176499), (1024, 12, 0.080785)])
def test_zhai_s_bound_has_the_known_values_and_is_attained(n, sigma, known):
    assert round(vitals.entropy_bound(sigma, n), 6) == known
    scores = vitals.extremal_scores(sigma, n)
    assert abs(scores.norm() - sigma) < 1e-12 and abs(scores.sum()) < 1e-9
    assert abs(scipy_entropy(scores.softmax(0).numpy()) - known) < 5e-7


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 30), st.floats(0.01, 20), st.integers(0, 99))
def test_no_row_of_that_norm_has_less_entropy(n, sigma, seed):
    scores = draw(n, seed=seed)
    scores = sigma * scores / scores.norm()
    assert scipy_entropy(scores.softmax(0).numpy()) >= vitals.entropy_bound(sigma, n) - 1e-9


# ---- hidden states ----


def numpy_rank_residual(x):
    def norm(m):
        return math.sqrt(np.linalg.norm(m, 1) * np.linalg.norm(m, np.inf))

    return norm(x - x.mean(0)) / norm(x)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(1, 6), st.integers(0, 99))
def test_hidden_measures_equal_numpy(tokens, d, seed):
    x = draw(2, tokens, d, seed=seed)
    for b, sequence in enumerate(x.numpy()):
        values = np.linalg.svd(sequence, compute_uv=False)
        unit = sequence / np.linalg.norm(sequence, axis=1, keepdims=True)
        cosines = [unit[s] @ unit[t] for s in range(tokens) for t in range(tokens) if s != t]
        assert abs(vitals.rank_residual(x)[b] - numpy_rank_residual(sequence)) < 1e-10
        assert abs(vitals.stable_rank(x)[b] - np.linalg.norm(sequence) ** 2 / values[0] ** 2) < 1e-10
        assert abs(vitals.effective_rank(x)[b] - math.exp(scipy_entropy(values))) < 1e-9
        assert abs(vitals.token_cosine(x)[b] - np.mean(cosines)) < 1e-10
    assert (vitals.stable_rank(x) + 1e-9 >= 1).all()


def test_equal_tokens_have_no_rank_and_orthogonal_ones_all_of_it():
    same = draw(1, 1, 8).expand(1, 5, 8)
    assert vitals.rank_residual(same) < 1e-12 and abs(vitals.token_cosine(same) - 1) < 1e-12
    assert abs(vitals.stable_rank(same) - 1) < 1e-12 and abs(vitals.effective_rank(same) - 1) < 1e-6
    different = torch.eye(5, dtype=torch.float64)[None]
    assert abs(vitals.stable_rank(different) - 5) < 1e-12 and abs(vitals.effective_rank(different) - 5) < 1e-12
    assert vitals.token_cosine(different) == 0
    nothing = torch.zeros(1, 5, 8)
    for measure in (vitals.rank_residual, vitals.stable_rank, vitals.effective_rank, vitals.token_cosine):
        assert measure(nothing).item() == 0
    assert vitals.token_cosine(draw(1, 1, 8)).item() == 0  # a single token has no other


def pure_attention(spread, layers, seed=0, n=32, d=64):
    """Attention on attention, with nothing beside it, and values that only turn: Dong et al. 2021."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, 1, n, d, generator=generator, dtype=torch.float64)
    found = []
    for _ in range(layers):
        w_q, w_k = (
            torch.randn(d, d, generator=generator, dtype=torch.float64) * spread / math.sqrt(d) for _ in range(2)
        )
        w_v = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q
        x = attention(x @ w_q, x @ w_k, x @ w_v)
        found.append(vitals.rank_residual(x[0]).item())
    return found


def test_pure_attention_loses_its_rank_doubly_exponentially():
    first, second, third, fourth = pure_attention(spread=1, layers=4)
    assert 0.6 < first < 0.8 and 5e-3 < second < 4e-2 and 1e-8 < third < 1e-6 and fourth < 1e-15
    assert min(pure_attention(spread=4, layers=3)) > 0.9  # sharp attention keeps it: the control


def test_a_block_that_turns_nothing_has_no_influence():
    x = draw(2, 5, 8)
    assert vitals.block_influence(x, 3 * x).abs().max() < 1e-12
    assert (vitals.block_influence(x, -x) - 2).abs().max() < 1e-12
    unit = [(a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)) for a, b in zip(x[0].numpy(), x[1].numpy(), strict=True)]
    assert abs(vitals.block_influence(x[:1], x[1:])[0] - (1 - np.mean(unit))) < 1e-12
    attended = draw(2, 5, 8, seed=1)
    assert torch.equal(vitals.attention_influence(x, attended), vitals.block_influence(x, x + attended))


def test_massive_activations_pass_both_thresholds():
    x = torch.full((1, 3, 5), 0.2)
    x[0, 0, 2], x[0, 1, 1] = -2000.0, 150.0  # the second is large, but 750 medians only
    assert vitals.massive_activations(x).nonzero().tolist() == [[0, 0, 2]]
    assert not vitals.massive_activations(x / 100).any()  # as far from the median, but small


# ---- the real model ----

SENTENCES = (
    "The cat sat on the mat because it was tired.",
    "She gave the old book to her brother yesterday.",
    "Rain fell on the quiet town all night long.",
    "The engineers tested the new bridge before it opened.",
    "He never learned to play the piano very well.",
)


def test_minilm_rests_on_cls_with_a_value_near_zero():
    """What is known of it, layer by layer, from other sentences of that length: hence the bands."""
    readings = [load().read(sentence) for sentence in SENTENCES]

    def by_layer(measure):
        return np.mean([[float(measure(layer)) for layer in reading.layers] for reading in readings], axis=0)

    known = {
        (0.23, 0.56, 0.59, 0.50, 0.56, 0.39): lambda layer: vitals.set_mass(layer.weights, [0]).mean(),
        (0.09, 0.03, 0.01, 0.03, 0.03, 0.04): lambda layer: layer.weights[..., -1].mean(),
        (0.73, 0.43, 0.45, 0.57, 0.53, 0.66): lambda layer: vitals.normalised_entropy(layer.weights).mean(),
        (0.18, 0.12, 0.12, 0.10, 0.09, 0.10): lambda layer: layer.weights.diagonal(-1, -2, -1).mean(),
        (0.73, 0.18, 0.14, 0.35, 0.14, 0.35): lambda layer: layer.v[:, :, 0].norm(dim=-1).mean(),
    }
    for expected, measure in known.items():
        assert np.abs(by_layer(measure) - expected).max() < 0.06, (expected, by_layer(measure))
    others = by_layer(lambda layer: layer.v[:, :, 1:].norm(dim=-1).mean())
    assert others.min() > 2.5 and others.max() < 4.0
    previous = np.mean([reading.layers[0].weights[0, 2].diagonal(-1).mean() for reading in readings])
    sink = np.mean([vitals.sink_mass(reading.layers[2].weights)[0, 7] for reading in readings])
    assert previous > 0.99 and abs(sink - 0.87) < 0.05


# ---- sentences for bad input ----


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda w: vitals.entropy(w[0, 0]), "weights has shape (3, 3), which is 2 axes; it needs at least 4"),
        (lambda w: vitals.entropy(w / 0 * 0), "weights holds NaN"),
        (lambda w: vitals.set_mass(w, [3]), "names key 3, but keys go from 0 to 2."),
        (lambda w: vitals.set_mass(w, torch.ones(2).bool()), "it wants one for each of the 3 keys"),
        (lambda w: vitals.keys_needed(w, 96), "share is a part of the mass, above 0 and up to 1; got 96."),
        (lambda w: vitals.sink_mass(w, 3), "key is the number of a key that queries look back at, 0 to 2; got 3."),
        (lambda w: vitals.sink_rate([w, w[..., :2, :2]]), "got maps of [2, 3] keys."),
        (lambda w: vitals.sink_floor(0), "n counts the keys of a row: 1 or more, got 0."),
        (lambda w: vitals.entropy_bound(2, 1), "n counts the keys of a row: 2 or more, got 1."),
        (lambda w: vitals.block_influence(w[0], w[0, :, :2]), "Both call this axis token."),
    ],
)
def test_bad_input_gets_one_sentence(call, sentence):
    weights = attention_weights(draw(1, 1, 3, 2), draw(1, 1, 3, 2), window(2))
    with pytest.raises(ValueError) as raised:
        call(weights)
    assert sentence in str(raised.value) and "\n" not in str(raised.value)
