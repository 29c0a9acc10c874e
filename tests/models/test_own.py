"""A learner's plain function in a whole model: the same numbers and gradients as the package's own formula."""

import math

import pytest
import torch

from attn_course.attention import attention, causal
from attn_course.models.encoder_decoder import EncoderDecoder
from attn_course.models.own import own


def plain(q, k, v, visible):
    assert visible.dtype == torch.bool
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~visible, -math.inf).softmax(-1) @ v


def loss_and_gradients(mechanism):
    torch.manual_seed(0)
    model = EncoderDecoder(9, 9, d_model=16, heads=2, layers=2, mechanism=mechanism).double()
    source = torch.tensor([[3, 4, 5, 0], [6, 7, 8, 2]])  # the first is filled up
    output = model(source, torch.tensor([[1, 3, 4, 5, 6], [1, 2, 3, 4, 5]]))
    output.square().mean().backward()
    return output, [each.grad for each in model.parameters()]


def test_a_plain_function_gives_what_the_formula_gives_in_a_model_gradients_included():
    output, gradients = loss_and_gradients(own(plain))
    wanted, wanted_gradients = loss_and_gradients(attention)
    assert torch.allclose(output, wanted, atol=1e-12)
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(gradients, wanted_gradients, strict=True))


@pytest.mark.parametrize("visible", [None, causal, torch.ones(2, 1, 1, 3, dtype=torch.bool)])
def test_the_function_is_handed_a_matrix_whatever_the_model_says(visible):
    x = torch.randn(2, 1, 3, 4)
    assert torch.allclose(own(plain)(x, x, x, visible), attention(x, x, x, visible), atol=1e-6)


def test_more_queries_than_keys_are_no_trouble_when_everything_is_visible():
    q, k = torch.randn(1, 1, 5, 4), torch.randn(1, 1, 2, 4)
    assert own(plain)(q, k, k).shape == (1, 1, 5, 4)


@pytest.mark.parametrize("wrong", [lambda q, k, v, s: q @ k.mT, lambda q, k, v, s: None, lambda q, k, v, s: v[:, 0]])
def test_an_output_of_the_wrong_shape_gets_a_sentence(wrong):
    x = torch.randn(1, 1, 3, 4)
    with pytest.raises(ValueError, match=r"should return \(batch, head, query, d\) = \(1, 1, 3, 4\), got"):
        own(wrong)(x, x, x)
