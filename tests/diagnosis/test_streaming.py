"""The vitals of strips against the whole map in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from torch.utils._python_dispatch import TorchDispatchMode

from attn_course.attention import ALiBi, causal, document, padding, sinks, visible_where, window
from attn_course.attention.formula import attention_scores
from attn_course.diagnosis import strips
from attn_course.diagnosis.close import EPSILON, SHARE
from attn_course.diagnosis.streaming import streaming_vitals, streaming_vitals_of

ROW_VITALS = ("entropy", "energy", "mean_distance", "participation")


def whole_map(q, k, v, visible=None, scale=None, score=None, bias=None, null=None, sets=None):
    """Every vital by its definition, on the map in float64."""
    group = q.shape[1] // k.shape[1]
    q, k, v = (x.double() for x in (q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)))
    scores = attention_scores(q, k, visible, scale, score)
    hidden = scores.isneginf()
    if bias is not None:
        scores = scores + bias.double()
    blind = hidden.all(-1)
    extended = scores
    if null is not None:
        column = null.double()[None, :, None, None].expand(*scores.shape[:3], 1)
        extended = torch.cat((scores, column), dim=-1)
    extended = extended.masked_fill(blind[..., None], 0)
    p = extended.softmax(-1).masked_fill(blind[..., None], 0)
    weights = p[..., : scores.shape[-1]]
    n_query, n_key = scores.shape[-2:]
    distance = (torch.arange(n_key - n_query, n_key)[:, None] - torch.arange(n_key)).abs()
    finite = extended.masked_fill(extended.isneginf(), 0)
    square = p.square().sum(-1)
    return {
        "weights": weights,
        "output": weights @ v,
        "entropy": -torch.special.xlogy(p, p).sum(-1),
        "energy": (p * finite).sum(-1),
        "mean_distance": (weights * distance).sum(-1),
        "participation": torch.where(blind, 0, 1 / square.masked_fill(blind, 1)),
        "received": weights.sum(-2),
        "max_logit": scores.masked_fill(hidden, -math.inf).amax((-2, -1)),
        "visible_keys": (~hidden).sum(-1),
        "key_seen": (~hidden).any(-2),
        "set_mass": {name: weights[..., keys].sum(-1) for name, keys in (sets or {}).items()},
    }


def error(found, true):
    """Relative to max(1, value)."""
    return ((found.double() - true).abs() / true.abs().clamp(min=1)).max().item() if true.numel() else 0.0


def agree(vitals, true, tolerance=1e-5):
    for name in (*ROW_VITALS, "output", "received"):
        assert error(getattr(vitals, name), true[name]) <= tolerance, name
    seen = true["max_logit"].isfinite()
    assert error(vitals.max_logit[seen], true["max_logit"][seen]) <= tolerance
    assert vitals.max_logit[~seen].isneginf().all()
    assert torch.equal(vitals.visible_keys, true["visible_keys"].expand(vitals.visible_keys.shape).int())
    assert torch.equal(vitals.key_seen, true["key_seen"].expand(vitals.key_seen.shape))
    for name, mass in true["set_mass"].items():
        assert error(vitals.set_mass[name], mass) <= tolerance, name


def layer(batch=2, heads=4, kv_heads=None, n_query=13, n_key=None, d=8, factor=1.0, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    n_key = n_query if n_key is None else n_key
    kv_heads = heads if kv_heads is None else kv_heads
    shapes = (heads, n_query), (kv_heads, n_key), (kv_heads, n_key)
    q, k, v = (torch.randn(batch, *shape, d, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)
    return q * factor, k, v


KEEP = torch.tensor([[True] * 13, [False] * 5 + [True] * 8])
DOCUMENTS = torch.tensor([0] * 4 + [1] * 8 + [2])
VISIBLE = {
    "everything": None,
    "causal": causal,
    "window": window(3),
    "causal window": causal & window(4),
    "padded": padding(KEEP),
    "causal, padded": causal & padding(KEEP),
    "padded on the right": padding(KEEP.flip(-1)),
    "packed": causal & document(DOCUMENTS),
    "sinks and window": causal & (window(3) | sinks(2)),
    "itself alone": visible_where(lambda i, j: i == j),
    "nobody": visible_where(lambda i, j: (i < 0) & (j < 0)),
    "every third, not the first": visible_where(lambda i, j: ((i - j) % 3 == 1) & (j > 0)),
    "one head each": torch.rand(1, 4, 13, 13, generator=torch.Generator().manual_seed(1)) < 0.3,
    "one sequence each": torch.rand(2, 1, 13, 13, generator=torch.Generator().manual_seed(2)) < 0.3,
    "a matrix": torch.rand(13, 13, generator=torch.Generator().manual_seed(3)) < 0.3,
    "keys": torch.rand(13, generator=torch.Generator().manual_seed(4)) < 0.5,
}


@pytest.mark.filterwarnings("ignore:No query may look")
@pytest.mark.parametrize("name", VISIBLE)
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_whoever_may_look_at_whom(name, kv_heads):
    q, k, v = layer(kv_heads=kv_heads)
    sets = {"first": [0], "some": [1, 5, 12], "none": []}
    visible = VISIBLE[name]
    vitals = streaming_vitals(q, k, v, visible, token_sets=sets)
    agree(vitals, whole_map(q, k, v, visible, sets=sets))


@pytest.mark.filterwarnings("ignore:No query may look")
@pytest.mark.parametrize("name", VISIBLE)
def test_strips_of_a_few_cells_say_the_same(name, monkeypatch):
    monkeypatch.setitem(strips.CELLS, "cpu", 60)
    q, k, v = layer(kv_heads=2)
    agree(streaming_vitals(q, k, v, VISIBLE[name], token_sets={"first": [0]}), whole_map(q, k, v, VISIBLE[name]))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 31, 64, 127, 128, 129, 200, 777, 1000])
@pytest.mark.parametrize("visible", [None, causal], ids=["everything", "causal"])
@pytest.mark.parametrize(("factor", "tolerance"), [(1, 1e-5), (0, 1e-5), (30, 1e-4)], ids=["plain", "even", "peaked"])
def test_at_any_length(n, visible, factor, tolerance):
    q, k, v = layer(1, 2, n_query=n, d=16, factor=factor, seed=n)
    agree(streaming_vitals(q, k, v, visible, sample=0), whole_map(q, k, v, visible), tolerance)


@pytest.mark.parametrize("visible", [None, causal, causal & window(300)], ids=str)
@pytest.mark.parametrize(("factor", "tolerance"), [(1, 1e-5), (30, 1e-4)])
def test_at_4096_tokens(visible, factor, tolerance):
    q, k, v = layer(1, 1, n_query=4096, d=16, factor=factor)
    agree(streaming_vitals(q, k, v, visible, sample=0), whole_map(q, k, v, visible), tolerance)


@given(
    n_query=st.integers(1, 40),
    more=st.integers(0, 9),
    heads=st.sampled_from([(1, 1), (2, 1), (6, 3)]),
    share=st.floats(0, 1),
    cells=st.sampled_from([16, 200, 2**21]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:No query may look")
def test_any_mask_at_all(n_query, more, heads, share, cells, seed):
    q, k, v = layer(2, *heads, n_query=n_query, n_key=n_query + more, seed=seed)
    visible = torch.rand(2, 1, n_query, n_query + more, generator=torch.Generator().manual_seed(seed)) < share
    before, strips.CELLS["cpu"] = strips.CELLS["cpu"], cells
    try:
        agree(streaming_vitals(q, k, v, visible), whole_map(q, k, v, visible))
    finally:
        strips.CELLS["cpu"] = before


@pytest.mark.parametrize("n_key", [13, 20])
@pytest.mark.parametrize("visible", [None, causal, causal & window(4)], ids=str)
def test_the_last_queries_of_a_cached_text(n_key, visible):
    q, k, v = layer(n_query=3, n_key=n_key)
    agree(streaming_vitals(q, k, v, visible), whole_map(q, k, v, visible))


def test_more_queries_than_keys():
    q, k, v = layer(n_query=9, n_key=4)
    agree(streaming_vitals(q, k, v), whole_map(q, k, v))


def test_a_soft_cap_and_alibi_change_the_scores():
    q, k, v = layer(kv_heads=2, factor=10)

    def cap(scores, i, j):
        return 5 * torch.tanh(scores / 5)

    for score in (cap, ALiBi(4).score):
        agree(streaming_vitals(q, k, v, causal, score=score), whole_map(q, k, v, causal, score=score))


@pytest.mark.parametrize("shape", [(13, 13), (4, 1, 13), (1, 4, 13, 13), (2, 1, 13, 13), (2, 4, 13, 13), (13,)])
def test_a_bias_of_any_shape_that_spreads(shape):
    q, k, v = layer(kv_heads=2)
    bias = torch.randn(shape, generator=torch.Generator().manual_seed(5))
    agree(streaming_vitals(q, k, v, causal, bias=bias), whole_map(q, k, v, causal, bias=bias))


def test_a_learned_sink_is_one_more_key_without_a_value():
    q, k, v = layer(kv_heads=2)
    null = torch.tensor([-3.0, 0.0, 2.0, 50.0])
    vitals = streaming_vitals(q, k, v, causal, sinks=null)
    true = whole_map(q, k, v, causal, null=null)
    agree(vitals, true)
    assert error(vitals.null_mass, 1 - true["weights"].sum(-1)) < 1e-5
    assert vitals.null_mass[:, 3].min() > 0.99
    assert streaming_vitals(q, k, v, causal).null_mass is None


def test_a_query_that_sees_nothing_has_zeros_beside_a_learned_sink_too():
    q, k, v = layer()
    visible = visible_where(lambda i, j: (j <= i) & (i > 2))
    vitals = streaming_vitals(q, k, v, visible, sinks=torch.ones(4))
    for name in (*ROW_VITALS, "output", "null_mass", "normalised_entropy"):
        assert not getattr(vitals, name)[:, :, :3].any(), name
    assert (vitals.visible_keys[:, :, :3] == 0).all()


def test_the_scale_is_the_callers():
    q, k, v = layer()
    agree(streaming_vitals(q, k, v, causal, 0.7), whole_map(q, k, v, causal, 0.7))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_before_the_first_product(dtype):
    q, k, v = layer(dtype=dtype, factor=3, n_query=300, d=32)
    vitals = streaming_vitals(q, k, v, causal)
    true = whole_map(q, k, v, causal)
    assert vitals.output.dtype == dtype
    for name in (*ROW_VITALS, "received"):
        assert error(getattr(vitals, name), true[name]) < 1e-5, name


def test_float64_stays_float64():
    q, k, v = layer(dtype=torch.float64)
    vitals, true = streaming_vitals(q, k, v, causal), whole_map(q, k, v, causal)
    for name in (*ROW_VITALS, "output", "received"):
        assert error(getattr(vitals, name), true[name]) < 1e-13, name


def test_layouts_of_memory_do_not_matter():
    q, k, v = (x.transpose(1, 2).contiguous().transpose(1, 2) for x in layer(kv_heads=2))
    agree(streaming_vitals(q, k, v, causal), whole_map(q, k, v, causal))


def test_values_may_be_left_out():
    q, k, v = layer()
    without = streaming_vitals(q, k, visible=causal)
    assert without.output is None
    assert torch.equal(without.entropy, streaming_vitals(q, k, v, causal).entropy)


def test_normalised_entropy_is_one_when_all_share_alike_and_zero_with_one_key():
    q, k, v = layer(factor=0)
    normalised = streaming_vitals(q, k, v, causal).normalised_entropy
    assert (normalised[:, :, 0] == 0).all()
    assert (normalised[:, :, 1:] - 1).abs().max() < 1e-6


def test_sets_by_number_by_mark_and_by_sequence():
    q, k, v = layer()
    marks = torch.zeros(2, 13, dtype=torch.bool)
    marks[0, 3], marks[1, 7] = True, True
    vitals = streaming_vitals(q, k, v, token_sets={"numbers": [3, 7], "marks": marks.any(0), "own": marks})
    assert torch.equal(vitals.set_mass["numbers"], vitals.set_mass["marks"])
    weights = whole_map(q, k, v)["weights"]
    assert error(vitals.set_mass["own"][1], weights[1, ..., 7]) < 1e-6


def close_by_definition(weights, visible_keys, seen):
    """Row by row, key by key, in plain Python."""
    found = {
        name: torch.zeros(weights.shape[:3], dtype=torch.float64) for name in ("sparsity", "keys_needed", "window")
    }
    n_query, n_key = weights.shape[2:]
    for b, h, i in torch.cartesian_prod(*(torch.arange(n) for n in weights.shape[:3])).tolist():
        row = weights[b, h, i]
        found["sparsity"][b, h, i] = sum(1 for j in range(n_key) if seen[b, h, i, j] and row[j] < EPSILON)
        mass, count = 0.0, 0
        for weight in sorted(row.tolist(), reverse=True):
            if mass < SHARE * row.sum() * (1 - 1e-6):
                mass, count = mass + weight, count + 1
        found["keys_needed"][b, h, i] = count
        place = i + n_key - n_query
        w = 1
        while sum(row[j].item() for j in range(n_key) if abs(place - j) < w) < SHARE * row.sum() * (1 - 1e-6):
            w += 1
        found["window"][b, h, i] = w
    found["sparsity"] /= visible_keys.clamp(min=1)
    found["coverage"] = found["keys_needed"] / visible_keys.clamp(min=1)
    return found


@pytest.mark.parametrize("visible", [None, causal, causal & padding(KEEP)], ids=str)
@pytest.mark.parametrize("factor", [1, 8])
def test_sparsity_coverage_and_window_on_every_row_are_exact(visible, factor):
    q, k, v = layer(factor=factor)
    true = whole_map(q, k, v, visible)
    seen = torch.ones(13, 13, dtype=torch.bool) if visible is None else visible.dense(13)
    seen = seen.expand(2, 4, 13, 13)
    rows = close_by_definition(true["weights"], seen.sum(-1), seen)
    close = streaming_vitals(q, k, v, visible, sample=None).close
    for b in range(2):
        sees = seen[b, 0].any(-1)
        for name, value in rows.items():
            estimate = getattr(close, name)
            assert error(estimate.mean[b], value[b][:, sees].mean(-1)) < 1e-6, name
            assert (estimate.error == 0).all(), name


def test_the_divergence_of_two_heads_is_that_of_jensen_and_shannon():
    q, k, v = layer(factor=3)
    weights = whole_map(q, k, v, causal)["weights"]
    divergence = streaming_vitals(q, k, v, causal, sample=None).close.divergence.mean
    for a in range(4):
        for b in range(4):
            rows = [jensenshannon(p, r, base=2) ** 2 for p, r in zip(weights[0, a], weights[0, b], strict=True)]
            assert divergence[0, a, b].item() == pytest.approx(sum(rows) / len(rows), abs=1e-6)


def test_two_heads_alike_diverge_by_nothing_and_two_that_never_agree_by_one_bit():
    k = torch.eye(4).repeat(1, 3, 1, 1) * 40
    q = torch.stack((k[0, 0], k[0, 0], k[0, 0].roll(1, 0)))[None]
    divergence = streaming_vitals(q, k, scale=1.0).close.divergence.mean[0]
    assert divergence[0, 1].item() == pytest.approx(0, abs=1e-6)
    assert divergence[0, 2].item() == pytest.approx(1, abs=1e-6)


def test_a_sample_lies_within_its_standard_error_of_the_truth():
    q, k, v = layer(1, 4, n_query=600, d=16, factor=3)
    truth = streaming_vitals(q, k, v, causal, sample=None).close
    misses = []
    for seed in range(20):
        close = streaming_vitals(q, k, v, causal, sample=64, seed=seed).close
        assert len(close.rows) == 64
        for name in ("sparsity", "keys_needed", "coverage", "window"):
            estimate, true = getattr(close, name), getattr(truth, name)
            misses.append((estimate.mean - true.mean).abs() > 2 * estimate.error)
    share = torch.stack(misses).float().mean().item()
    assert share < 0.12  # two standard errors: 5 %, and a little for small samples


def test_the_record_says_which_path_was_taken():
    q, k, v = layer(n_query=40)
    path = streaming_vitals(q, k, v, causal, sample=8).path
    assert path["entropy"] == path["received"] == "strips: every row"
    assert path["window"] == "strips: 8 rows drawn at random"
    assert streaming_vitals(q, k, v, causal, sample=None).path["window"] == "strips: every row"
    assert "window" not in streaming_vitals(q, k, v, causal, sample=0).path


def test_autocast_around_it_changes_nothing():
    q, k, v = layer(n_query=300, d=32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        vitals = streaming_vitals(q, k, v, causal)
    agree(vitals, whole_map(q, k, v, causal))


@pytest.mark.parametrize("low", [-math.inf, torch.finfo(torch.float32).min])
def test_a_bias_that_hides_keys_and_one_that_pushes_them_as_far_as_it_can(low):
    q, k, v = layer()
    bias = torch.zeros(2, 1, 1, 13)
    bias[0, ..., :5] = low
    vitals = streaming_vitals(q, k, v, causal, bias=bias)
    assert not vitals.entropy.isnan().any() and not vitals.output.isnan().any()
    visible = causal.dense(13) & (bias > low)
    rows = (
        slice(5, None) if low > -math.inf else slice(None)
    )  # such a row of nothing but the lowest number shares alike
    true = whole_map(q, k, v, visible)
    for name in (*ROW_VITALS, "output"):
        assert error(getattr(vitals, name)[:, :, rows], true[name][:, :, rows]) < 1e-5, name
    first = streaming_vitals(q, k, v, causal, bias=bias, token_sets={"future": list(range(1, 13))}).set_mass["future"]
    assert (first[:, :, 0] == 0).all()
    if low == -math.inf:
        assert torch.equal(vitals.visible_keys, true["visible_keys"].expand(2, 4, 13).int())
        assert torch.equal(vitals.key_seen, true["key_seen"].expand(2, 4, 13))


def test_scores_of_any_size_stay_above_what_is_hidden():
    q, k, v = layer(factor=1e17)
    k = k * 1e17
    vitals = streaming_vitals(q, k, v, causal, token_sets={"later": list(range(1, 13))})
    assert (vitals.set_mass["later"][:, :, 0] == 0).all()
    assert not vitals.entropy.isnan().any()


def test_a_learned_sink_that_is_switched_off():
    q, k, v = layer()
    off = streaming_vitals(q, k, v, causal, sinks=torch.full((4,), -math.inf))
    agree(off, whole_map(q, k, v, causal))
    assert not off.null_mass.any()


def test_with_a_learned_sink_normalised_entropy_reaches_one_and_not_more():
    q, k, v = layer(factor=0)
    normalised = streaming_vitals(q, k, v, causal, sinks=torch.zeros(4)).normalised_entropy
    assert (normalised - 1).abs().max() < 1e-6


def test_heads_that_differ_only_in_what_the_learned_sink_takes_diverge():
    k = torch.zeros(1, 2, 1, 4)
    divergence = streaming_vitals(k, k, sinks=torch.tensor([0.0, -math.inf]), sample=None).close.divergence.mean
    assert divergence[0, 0, 1].item() == pytest.approx(0.3113, abs=1e-4)  # of (½, ½) and (1, 0)


def test_a_head_that_sees_nothing_in_a_row_takes_no_row_from_the_others():
    q, k, v = layer()
    visible = causal.dense(13).expand(1, 4, 13, 13).clone()
    visible[:, 2] = False
    some = streaming_vitals(q, k, v, visible, sample=None).close
    alone = streaming_vitals(q, k, v, causal, sample=None).close
    others = [0, 1, 3]
    for name in ("sparsity", "keys_needed", "coverage", "window"):
        found = getattr(some, name)
        assert torch.equal(found.mean[:, others], getattr(alone, name).mean[:, others])
        assert found.mean[:, 2].isnan().all() and found.error[:, 2].isnan().all()
    assert some.divergence.mean[:, 2, others].isnan().all()
    assert torch.equal(some.divergence.mean[:, 0, 1], alone.divergence.mean[:, 0, 1])


def test_a_score_may_differ_by_sequence_and_keeps_what_is_its_own():
    q, k, v = layer()
    shift = torch.randn(2, 1, 1, 1)
    kept = []

    def score(scores, i, j):
        kept.append(scores * (1 + shift))
        return kept[-1]

    vitals = streaming_vitals(q, k, v, causal, score=score, sample=0)
    agree(vitals, whole_map(q, k, v, causal, score=lambda scores, i, j: scores * (1 + shift)))
    assert kept[0].isfinite().any()
    agree(
        streaming_vitals(q, k, v, causal, score=lambda scores, i, j: scores[:, :1].expand(scores.shape)),
        whole_map(q, k, v, causal, score=lambda scores, i, j: scores[:, :1].expand(scores.shape)),
    )


def test_a_bias_in_double_precision_is_narrowed_to_the_scores():
    q, k, v = layer()
    bias = torch.randn(13, 13, dtype=torch.float64)
    agree(streaming_vitals(q, k, v, bias=bias), whole_map(q, k, v, bias=bias))


def test_one_sampled_row_has_a_mean_and_no_error_to_speak_of():
    q, k, v = layer()
    window = streaming_vitals(q, k, v, causal, sample=1).close.window
    assert window.mean.isfinite().all() and window.error.isnan().all()


class LargestTensor(TorchDispatchMode):
    """Remembers the most elements that any result had."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.untyped_storage().size() // tensor.element_size())
        return result


@pytest.mark.parametrize("visible", [None, causal, causal & window(64)], ids=str)
def test_the_map_is_never_built(visible):
    q, k, v = layer(1, 4, n_query=6000, d=4)
    with LargestTensor() as largest:
        streaming_vitals(q, k, v, visible)
    assert largest.elements <= 2 * strips.CELLS["cpu"] < 6000**2 / 8


def test_no_gradient_flows_and_no_input_is_changed():
    q, k, v = (x.requires_grad_() for x in layer())
    before = [x.detach().clone() for x in (q, k, v)]
    vitals = streaming_vitals(q, k, v, causal)
    assert not vitals.entropy.requires_grad and not vitals.output.requires_grad
    assert all(torch.equal(x, y) for x, y in zip((q, k, v), before, strict=True))


def test_unchecked_lets_nan_through_where_it_is():
    q, k, v = layer()
    q[0, 1, 4] = math.nan
    entropy = streaming_vitals_of(q, k, v, causal).entropy
    assert entropy.isnan().nonzero().tolist() == [[0, 1, 4]]


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        (
            {"k": torch.zeros(2, 3, 13, 8), "v": torch.zeros(2, 3, 13, 8)},
            ValueError,
            "4 heads cannot share 3 key heads",
        ),
        ({"k": torch.zeros(2, 4, 13, 9)}, ValueError, "d_k"),
        ({"v": torch.zeros(2, 4, 12, 8)}, ValueError, "key"),
        ({"visible": torch.zeros(13, 13)}, TypeError, "True and False .True = may look. go into visible"),
        ({"visible": torch.ones(13, 12, dtype=torch.bool)}, ValueError, "does not spread"),
        ({"visible": padding(torch.ones(5, dtype=torch.bool))}, ValueError, "5 tokens"),
        ({"bias": torch.zeros(3, 13, 13)}, ValueError, "bias has shape"),
        ({"sinks": torch.zeros(3)}, ValueError, "one logit a head"),
        ({"token_sets": {"a": [13]}}, ValueError, "names key 13, but keys go from 0 to 12"),
        ({"token_sets": {"a": torch.ones(5, dtype=torch.bool)}}, ValueError, "has marks of shape .5,."),
        ({"bias": torch.ones(13, 13, dtype=torch.bool)}, TypeError, "bias holds torch.bool"),
        ({"bias": torch.full((13, 13), math.nan)}, ValueError, "bias holds NaN"),
        ({"scale": math.inf}, ValueError, "finite number"),
        ({"visible": padding(torch.ones(3, 13, dtype=torch.bool))}, ValueError, "visible has shape"),
        ({"visible": visible_where(lambda i, j: i - j)}, TypeError, "True and False"),
        ({"token_sets": {"a": torch.tensor([[0, 1]])}}, ValueError, "list of key numbers from 0 up"),
        ({"token_sets": {"a": [1.9]}}, ValueError, "list of key numbers from 0 up"),
        ({"token_sets": {"a": torch.ones(3, 13, dtype=torch.bool)}}, ValueError, "has marks of shape"),
        ({name: torch.zeros(0, 4, 13, 8) for name in "qkv"}, ValueError, "nothing to measure"),
        ({"sample": -1}, ValueError, "sample counts query rows"),
        ({"q": torch.full((2, 4, 13, 8), math.nan)}, ValueError, "NaN"),
        ({"q": torch.zeros(2, 4, 13, 8, dtype=torch.int64)}, TypeError, "floating point"),
    ],
)
def test_bad_input_ends_in_a_sentence(change, kind, sentence):
    q, k, v = layer()
    with pytest.raises(kind, match=sentence):
        streaming_vitals(**({"q": q, "k": k, "v": v} | change))
