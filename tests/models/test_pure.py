"""Attention and nothing else, against the formula written out, and against the published figures."""

import pytest
import torch

from attn_course.diagnosis.vitals import rank_residual
from attn_course.models.pure import PureAttention, pure_attention, random_tokens, through


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_layer_is_the_formula():
    layer, x = PureAttention(5, 2.0, generator()), random_tokens(4, 5, generator(1), batch=2)
    for text, found in zip(x, layer(x), strict=True):
        q, k, v = text @ layer.w_q, text @ layer.w_k, text @ layer.w_v
        for i in range(4):
            powers = torch.stack([(q[i] @ k[j] / 5**0.5).exp() for j in range(4)])
            torch.testing.assert_close(found[i], (powers[:, None] * v).sum(0) / powers.sum())


def test_weights_have_the_sizes_that_are_said():
    layer = PureAttention(200, 3.0, generator())
    assert layer.w_q.std().item() == pytest.approx(3 / 200**0.5, rel=0.05)
    assert layer.w_k.std().item() == pytest.approx(3 / 200**0.5, rel=0.05)
    torch.testing.assert_close(layer.w_v @ layer.w_v.T, torch.eye(200, dtype=torch.float64))


@torch.no_grad()
def test_the_known_run_doubly_exponential():
    rng = generator()
    x = random_tokens(32, 64, rng)
    left = [rank_residual(state).item() for state in through(pure_attention(64, 4, generator=rng), x)]
    assert left[1:4] == pytest.approx([0.716, 1.13e-2, 4.48e-8], rel=0.01) and left[4] < 1e-15


def test_through_keeps_what_went_in():
    x, layers = random_tokens(3, 4, generator()), pure_attention(4, 2, generator=generator(1))
    states = through(layers, x)
    assert states[0] is x and len(states) == 3
    torch.testing.assert_close(states[2], layers[1](layers[0](x)))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: PureAttention(0), "at least one feature, got d=0"),
        (lambda: PureAttention(4, -1.0), "sharpness is a size"),
        (lambda: PureAttention(4, float("nan")), "sharpness is a size"),
        (lambda: pure_attention(4, 0), "at least one layer, got depth=0"),
        (lambda: random_tokens(0, 4), "at least one token"),
    ],
)
def test_impossible_sizes_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
