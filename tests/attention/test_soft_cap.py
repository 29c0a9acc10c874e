"""A soft-cap against its definition and its limits, in float64."""

import pytest
import torch

from attn_course.attention import attention, attention_scores, soft_cap

torch.set_num_threads(1)


def qk(size=1.0):
    generator = torch.Generator().manual_seed(0)
    q, k = (size * torch.randn(2, 3, 5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    return q, k


def test_scores_are_capped_after_the_scale():
    q, k = qk(size=4)
    plain = attention_scores(q, k, scale=0.7)
    capped = attention_scores(q, k, scale=0.7, score=soft_cap(20))
    e = (2 * plain / 20).exp()
    torch.testing.assert_close(capped, 20 * (e - 1) / (e + 1))  # tanh, written out
    assert plain.abs().max() > 20 > capped.abs().max()


def test_small_scores_stay_as_they_are():
    q, k = qk(size=0.1)
    torch.testing.assert_close(attention_scores(q, k, score=soft_cap(1e4)), attention_scores(q, k))


def test_gradients_flow_through_it():
    q, k = (x.requires_grad_() for x in qk())
    assert torch.autograd.gradcheck(lambda q, k: attention(q, k, k, score=soft_cap(2)), (q, k))


@pytest.mark.parametrize("cap", [0, -1.0, float("nan")])
def test_a_cap_is_above_zero(cap):
    with pytest.raises(ValueError, match="above 0"):
        soft_cap(cap)
