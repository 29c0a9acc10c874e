"""torch's kernel as a mechanism does what the formula does, with any mask, bias and dtype; and is really the kernel."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel

from attn_course.attention import (
    ALiBi,
    RelativeBias,
    attention,
    causal,
    document,
    fused,
    padding,
    sinks,
    visible_where,
    window,
)

torch.set_num_threads(1)
MASKS = {
    "nothing hidden": None,
    "causal": causal,
    "window": causal & window(2),
    "window or sinks": causal & (window(2) | sinks(1)),
    "documents": causal & document(torch.tensor([0, 0, 1, 1, 1, 2])),
    "padding of a batch": padding(torch.arange(6) < torch.tensor([[6], [2]])),
    "a matrix": torch.tensor([[True, False, True, True, False, True]] * 6),
    "some rows empty": visible_where(lambda i, j: (i % 2 == 0) & (j <= i)),
}


def qkv(n_query=6, n_key=6, dtype=torch.float64, batch=2, heads=3, d=8):
    generator = torch.Generator().manual_seed(0)
    shapes = ((batch, heads, n, d) for n in (n_query, n_key, n_key))
    return [torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def scores_of(kind):
    if kind == "relative":
        bias = RelativeBias(3, 8, 20, causal=False).double()
        torch.nn.init.normal_(bias.table.weight, generator=torch.Generator().manual_seed(1))
        return bias.score
    return ALiBi(3).score if kind == "alibi" else None


def both(mask, n_query=6, score=None, scale=None, dtype=torch.float64):
    """Outputs and gradients of q, k, v by the formula and by the kernel."""
    results = []
    for mechanism in (attention, fused):
        leaves = [x.requires_grad_() for x in qkv(n_query, dtype=dtype)]
        output = mechanism(*leaves, mask, scale, score)
        results.append((output, *torch.autograd.grad(output.square().sum(), leaves)))
    return results


@pytest.mark.parametrize("kind", ["plain", "alibi", "relative"])
@pytest.mark.parametrize("name", MASKS)
def test_equals_the_formula_with_gradients(name, kind):
    for ours, theirs in zip(*both(MASKS[name], score=scores_of(kind)), strict=True):
        torch.testing.assert_close(theirs, ours, atol=1e-12, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.sampled_from(["causal", "window", "documents", "padding of a batch"]), st.booleans())
def test_the_queries_are_the_last_ones(n_query, name, alibi):
    score = ALiBi(3).score if alibi else None
    for ours, theirs in zip(*both(MASKS[name], n_query, score, scale=0.7), strict=True):
        torch.testing.assert_close(theirs, ours, atol=1e-12, rtol=1e-12)


def test_a_query_that_sees_nothing_gets_zeros_and_no_gradient():
    _, (output, *gradients) = both(MASKS["some rows empty"])
    assert (output[..., 1::2, :] == 0).all() and (output[..., 0::2, :] != 0).all()
    assert (gradients[0][..., 1::2, :] == 0).all() and not any(g.isnan().any() for g in gradients)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2), (torch.float16, 5e-3)])
def test_other_dtypes(dtype, close):
    for name in ("causal", "padding of a batch"):
        for score in (None, ALiBi(3).score):
            q, k, v = qkv(dtype=dtype)
            output = fused(q, k, v, MASKS[name], score=score)
            assert output.dtype == dtype
            torch.testing.assert_close(output, attention(q, k, v, MASKS[name], score=score), atol=close, rtol=close)


@pytest.mark.parametrize("mask", ["nothing hidden", "causal", "window", "padding of a batch"])
def test_the_kernel_is_the_fused_one(mask):
    """Allowed no other, torch would raise rather than fall back to the plain one."""
    q, k, v = qkv(dtype=torch.float32)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        output = fused(q, k, v, MASKS[mask])
        fused(q, k, v, MASKS[mask], score=ALiBi(3).score)
    torch.testing.assert_close(output, attention(q, k, v, MASKS[mask]), atol=1e-5, rtol=1e-5)


def test_a_soft_cap_is_not_what_it_can_do():
    """As its docstring says: a score that is more than a sum is lost. The formula applies it."""
    q, k, v = (4 * x for x in qkv())
    cap = lambda scores, i, j: 2 * (scores / 2).tanh()  # noqa: E731
    assert not torch.allclose(fused(q, k, v, score=cap), attention(q, k, v, score=cap), atol=1e-2)
