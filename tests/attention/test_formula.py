"""The formula against torch's own function, float64 throughout, gradients included; and its sentences for bad input."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_course.attention import attention, attention_scores, attention_weights, causal, everything, masked_softmax

SHAPES = st.tuples(*[st.integers(1, 5)] * 4)  # query, key, d_k, d_v


def draw(*shape, seed=0, dtype=torch.float64, scale=1.0):
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).to(dtype)


def qkv(n_query, n_key, d_k, d_v, lead=(2, 3), seed=0, scale=1.0):
    return (
        draw(*lead, n_query, d_k, seed=seed, scale=scale),
        draw(*lead, n_key, d_k, seed=seed + 1, scale=scale),
        draw(*lead, n_key, d_v, seed=seed + 2),
    )


def gradients(function, *tensors):
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    output = function(*leaves)
    return torch.autograd.grad(output, leaves, draw(*output.shape, seed=9))


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.lists(st.integers(1, 3), max_size=3), st.integers(0, 99), st.sampled_from([0.1, 1.0, 30.0]))
def test_equals_torch_for_any_leading_shape(shape, lead, seed, scale):
    q, k, v = qkv(*shape, lead=tuple(lead), seed=seed, scale=scale)
    assert (attention(q, k, v) - F.scaled_dot_product_attention(q, k, v)).abs().max() <= 1e-12


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(0, 99), st.data())
def test_equals_torch_under_any_mask_with_gradients(shape, seed, data):
    q, k, v = qkv(*shape, seed=seed)
    mask = torch.rand(shape[0], shape[1], generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[:, data.draw(st.integers(0, shape[1] - 1))] = True  # torch's gradient is undefined where a row is empty
    assert (attention(q, k, v, mask) - F.scaled_dot_product_attention(q, k, v, mask)).abs().max() <= 1e-12
    ours = gradients(lambda *x: attention(*x, visible=mask), q, k, v)
    theirs = gradients(lambda *x: F.scaled_dot_product_attention(*x, attn_mask=mask), q, k, v)
    assert all((a - b).abs().max() <= 1e-12 for a, b in zip(ours, theirs, strict=True))


def test_scale_is_one_over_root_d_k_unless_given():
    q, k, v = qkv(3, 4, 16, 5)
    assert torch.equal(attention(q, k, v), attention(q, k, v, scale=0.25))
    assert torch.allclose(attention(q, k, v, scale=0.7), F.scaled_dot_product_attention(q, k, v, scale=0.7), atol=1e-12)


def test_gradients_pass_gradcheck_with_a_hidden_row():
    q, k, v = (x.requires_grad_() for x in qkv(3, 4, 2, 2, lead=()))
    mask = torch.tensor([[True, False, True, True], [False] * 4, [False, True, False, False]])
    assert torch.autograd.gradcheck(lambda q, k, v: attention(q, k, v, mask), (q, k, v))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 99))
def test_order_of_the_keys_does_not_matter_and_queries_are_independent(n, seed):
    q, k, v = qkv(4, n, 3, 2, seed=seed)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(attention(q, k, v), attention(q, k[..., order, :], v[..., order, :]), atol=1e-12)
    assert torch.allclose(attention(q, k, v)[..., 1:2, :], attention(q[..., 1:2, :], k, v), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(0, 99))
def test_rows_sum_to_one_and_outputs_stay_within_the_values(shape, seed):
    q, k, v = qkv(*shape, seed=seed, scale=5.0)
    weights = attention_weights(q, k)
    assert torch.allclose(weights.sum(-1), torch.ones_like(weights[..., 0]), atol=1e-12) and (weights >= 0).all()
    output = attention(q, k, v)
    assert (output <= v.amax(-2, keepdim=True) + 1e-12).all() and (output >= v.amin(-2, keepdim=True) - 1e-12).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_neither_overflows_nor_rounds_the_softmax(dtype):
    q = k = torch.full((1, 1, 3, 128), 23.0, dtype=dtype)  # 23 · 23 · 128 = 67,712 > 65,504
    assert attention_scores(q, k).dtype == torch.float32
    assert attention_scores(q, k)[0, 0, 0, 0].item() == pytest.approx(67712 / math.sqrt(128))
    q, k, v = (x.to(dtype) for x in qkv(8, 40, 64, 16, scale=3.0))
    exact = attention(q.double(), k.double(), v.double())
    assert attention(q, k, v).dtype == dtype
    one_rounding = torch.finfo(dtype).eps * exact.abs().clamp_min(1)
    assert ((attention(q, k, v).double() - exact).abs() <= one_rounding).all()
    assert (attention_weights(q, k).sum(-1) - 1).abs().max() < 1e-6


def test_a_query_that_sees_nothing_gets_zeros_and_sends_none_back():
    q, k, v = qkv(3, 4, 2, 2)
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1] = False
    assert (attention(q, k, v, mask)[..., 1, :] == 0).all()
    to_q, to_k, to_v = gradients(lambda *x: attention(*x, visible=mask), q, k, v)
    assert (to_q[..., 1, :] == 0).all() and (to_q[..., 0, :] != 0).any()
    rest = [0, 2]
    alone = gradients(lambda q, k, v: attention(q[..., rest, :], k, v), q, k, v)
    direction = draw(2, 3, 3, 2, seed=9)  # the direction `gradients` uses for three queries
    leaves = [x.clone().requires_grad_() for x in (q, k, v)]
    want = torch.autograd.grad(attention(leaves[0][..., rest, :], *leaves[1:]), leaves[1:], direction[..., rest, :])
    assert torch.allclose(to_k, want[0], atol=1e-12) and torch.allclose(to_v, want[1], atol=1e-12)
    assert not any(x.isnan().any() for x in alone)


def test_minus_infinity_from_a_score_function_hides_too_without_nan():
    q, k, v = qkv(3, 4, 2, 2)
    bias = torch.zeros(3, 4, dtype=torch.float64)
    bias[0], bias[1, 2] = -math.inf, -math.inf
    add = lambda scores, i, j: scores + bias  # noqa: E731
    assert (attention(q, k, v, score=add)[..., 0, :] == 0).all()
    assert not any(x.isnan().any() for x in gradients(lambda *x: attention(*x, score=add), q, k, v))
    assert torch.equal(attention(q, k, v, score=add), attention(q, k, v, ~bias.isneginf()))


def test_score_functions_equal_torchs_bias_and_a_soft_cap_written_out():
    q, k, v = qkv(4, 4, 8, 3)
    alibi = lambda scores, i, j: scores - 0.5 * (i - j).abs()  # noqa: E731
    place = torch.arange(4)
    bias = -0.5 * (place[:, None] - place[None, :]).abs().double()
    want = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    assert torch.allclose(attention(q, k, v, score=alibi), want, atol=1e-12)
    cap = lambda scores, i, j: 5 * torch.tanh(scores / 5)  # noqa: E731
    capped = (5 * torch.tanh(q @ k.transpose(-2, -1) / math.sqrt(8) / 5)).softmax(-1) @ v
    assert torch.allclose(attention(q, k, v, score=cap), capped, atol=1e-12)


def test_a_score_function_is_told_where_the_last_queries_stand():
    seen = {}

    def note(scores, i, j):
        seen.update(i=i.flatten().tolist(), j=j.flatten().tolist())
        return scores

    q, k, v = qkv(2, 5, 2, 2)
    attention(q, k, v, score=note)
    assert seen == {"i": [3, 4], "j": [0, 1, 2, 3, 4]}


def test_masked_softmax_of_ordinary_scores_is_softmax():
    scores = draw(2, 3, 4, scale=20.0)
    assert torch.equal(masked_softmax(scores), scores.softmax(-1))


def complaint(error, *args, **kwargs):
    with pytest.raises(error) as caught:
        attention(*args, **kwargs)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 320, text
    return text


def test_bad_input_gets_one_sentence():
    q, k, v = qkv(5, 6, 4, 3)
    assert "q has 4 for d_k, k has 2. Scores are dot products" in complaint(ValueError, q, k[..., :2], v)
    assert "k has 6 for key, v has 5. Every key carries one value" in complaint(ValueError, q, k, v[..., :5, :])
    assert "leading axes of q are (1, 3), those of k (2, 3)" in complaint(ValueError, q[:1], k, v)
    assert "needs at least 2: (…, query, d_k)" in complaint(ValueError, q[0, 0, 0], k, v)
    assert "q.float()" in complaint(TypeError, q.int(), k, v)
    assert "q should be a torch tensor" in complaint(TypeError, [[1.0]], k, v)
    assert "Give both one dtype" in complaint(TypeError, q, k.float(), v)
    assert "q is torch.float64, v is torch.float32" in complaint(TypeError, q, k, v.float())
    assert "q is on meta, k on cpu" in complaint(ValueError, q.to("meta"), k, v)
    assert "q has no tokens" in complaint(ValueError, q[..., :0, :], k, v)
    assert "k has no tokens" in complaint(ValueError, q, k[..., :0, :], v[..., :0, :])
    assert "q has no features" in complaint(ValueError, q[..., :0], k[..., :0], v)
    assert "scale should be a float, or left out, got a str" in complaint(TypeError, q, k, v, scale="0.1")


def test_nan_is_located_and_not_passed_on():
    q, k, v = qkv(5, 6, 4, 3)
    k[1, 2, 3, 0] = math.nan
    assert "k holds NaN at 1 of 144 places, the first at (1, 2, 3, 0)" in complaint(ValueError, q, k, v)
    q, k, v = qkv(5, 6, 4, 3)
    v[0, 0, 0, 0] = math.nan
    assert "v holds NaN at 1 of" in complaint(ValueError, q, k, v)


def test_masks_of_the_wrong_kind_get_one_sentence():
    q, k, v = qkv(5, 6, 4, 3)
    assert "visible.bool()" in complaint(TypeError, q, k, v, torch.zeros(5, 6))
    assert "visible has shape (4,)" in complaint(ValueError, q, k, v, torch.ones(4, dtype=torch.bool))
    grown = torch.ones(7, 2, 3, 5, 6, dtype=torch.bool)
    assert "visible has shape (7, 2, 3, 5, 6)" in complaint(ValueError, q, k, v, grown)
    assert "got a list" in complaint(TypeError, q, k, v, [[True]])


def test_hiding_everything_is_said():
    q, k, v = qkv(2, 2, 2, 2)
    with pytest.warns(UserWarning, match="No query may look at any key"):
        assert (attention(q, k, v, ~everything) == 0).all()


def test_a_visibility_and_its_matrix_do_the_same():
    q, k, v = qkv(3, 5, 2, 2)
    assert torch.equal(attention(q, k, v, causal), attention(q, k, v, causal.dense(3, 5)))
