"""The two tiny models do what they say."""

import math

import torch

from attn_course.attention import attention, causal
from attn_course.models.tiny import NextToken, Recaller


def test_recaller_is_attention_over_the_pairs():
    torch.manual_seed(0)
    model = Recaller(vocabulary=8, d_model=6, d_k=4).double()
    names, contents, asked = torch.tensor([[1, 2, 3]]), torch.tensor([[4, 5, 6]]), torch.tensor([2])
    q, k = model.w_q(model.name(asked))[:, None], model.w_k(model.name(names))
    want = model.readout(attention(q, k, model.content(contents))[:, 0])
    assert torch.allclose(model(names, contents, asked), want, atol=1e-12)


def test_recaller_starts_with_queries_of_unit_variance():
    torch.manual_seed(0)
    model = Recaller(vocabulary=64, d_model=64, d_k=256)
    assert abs(model.w_q(model.name.weight).std().item() - 1) < 0.1
    assert model.scale == 1 / math.sqrt(256)


def test_next_token_sees_what_its_mechanism_lets_it_see():
    torch.manual_seed(0)
    model = NextToken(9, 6, lambda q, k, v: attention(q, k, v, causal)).double()
    tokens = torch.tensor([[1, 2, 3, 4, 5, 6]])
    changed = torch.tensor([[1, 2, 3, 4, 8, 7]])
    assert torch.allclose(model(tokens)[:, :4], model(changed)[:, :4], atol=1e-12)
    model.mechanism = attention
    assert not torch.allclose(model(tokens)[:, :4], model(changed)[:, :4], atol=1e-3)
