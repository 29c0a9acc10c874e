"""Attention and nothing else: no skip, no feed-forward network, no normalisation. What it does to tokens by itself.

layers = pure_attention(d=64, depth=6)
states = through(layers, random_tokens(n=32, d=64))  # the tokens, and what each layer made of them
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.attention import attention


class PureAttention(nn.Module):
    """One head over all features: softmax(XW_Q (XW_K)ᵀ/√d) X W_V (Dong et al. 2021, 2103.03404, one head).

    d            features of a token
    sharpness    W_Q and W_K are N(0, sharpness²/d): with tokens of size 1, scores of size sharpness²
    generator    draws the weights; W_V is a rotation, so that nothing shrinks but by averaging

    In float64, since what is left of the tokens' differences is soon too small for less.
    """

    def __init__(self, d: int, sharpness: float = 1.0, generator: torch.Generator | None = None):
        super().__init__()
        if d < 1:
            raise ValueError(f"A token has at least one feature, got d={d}.")
        if not (math.isfinite(sharpness) and sharpness >= 0):
            raise ValueError(f"sharpness is a size: 0 (every token looks at all alike) or more, got {sharpness}.")

        def drawn(size: float) -> Tensor:
            return torch.randn(d, d, generator=generator, dtype=torch.float64) * size

        self.w_q = nn.Parameter(drawn(sharpness / math.sqrt(d)))
        self.w_k = nn.Parameter(drawn(sharpness / math.sqrt(d)))
        self.w_v = nn.Parameter(torch.linalg.qr(drawn(1.0)).Q)

    def forward(self, x: Float[Tensor, "batch token d"]) -> Float[Tensor, "batch token d"]:
        q, k, v = (x[:, None] @ w for w in (self.w_q, self.w_k, self.w_v))  # (batch, head 1, token, d)
        return attention(q, k, v)[:, 0]


def pure_attention(
    d: int, depth: int, sharpness: float = 1.0, generator: torch.Generator | None = None
) -> nn.ModuleList:
    """`depth` layers, each with weights of its own."""
    if depth < 1:
        raise ValueError(f"There should be at least one layer, got depth={depth}.")
    return nn.ModuleList(PureAttention(d, sharpness, generator) for _ in range(depth))


def through(layers: Sequence[nn.Module], x: Float[Tensor, "batch token d"]) -> list[Float[Tensor, "batch token d"]]:
    """x, and what stands there after each layer in turn."""
    states = [x]
    for layer in layers:
        states.append(layer(states[-1]))
    return states


def random_tokens(
    n: int, d: int, generator: torch.Generator | None = None, batch: int = 1
) -> Float[Tensor, "batch token d"]:
    """Tokens that have nothing in common: independent standard normal numbers, in float64."""
    if min(n, d, batch) < 1:
        raise ValueError(f"There should be at least one token, feature and sequence, got n={n}, d={d}, batch={batch}.")
    return torch.randn(batch, n, d, generator=generator, dtype=torch.float64)
