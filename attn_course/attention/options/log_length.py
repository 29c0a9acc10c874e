"""Scores that grow with the logarithm of the length, so that more keys do not mean a flatter row."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.attention.formula import attention
from attn_course.attention.option import Option, asks, looks_of, wide
from attn_course.attention.options.qk_norm import QKNorm
from attn_course.attention.visibility import Visibility


class LogLength(Option):
    """Attention with scores s · log n · q·k·scale. Nothing is learned. Make one: `log_length`."""

    def __init__(self, mechanism: Callable = attention, s: float = 1.0):
        super().__init__(mechanism)
        if not 0 < s < torch.inf:
            raise ValueError(f"s multiplies the scores: a number above 0, got {s!r}.")
        if isinstance(mechanism, QKNorm):
            raise ValueError(
                "A QK-norm divides every query by its length, and with it what log_length does. Put it outside: "
                "QKNorm(heads, gain=…, mechanism=log_length(attention))."
            )
        self.s = s

    def extra_repr(self) -> str:
        return f"s={self.s:g}"

    def scaled(self, q: Tensor, k: Tensor, visible: Visibility | Tensor | None) -> Tensor:
        """q, each query times s · log n of the keys that it may look at."""
        n_query, n_key = q.shape[-2], k.shape[-2]
        if isinstance(visible, Visibility):
            visible = visible.dense(n_query, n_key, device=q.device)
        if visible is None:
            n = torch.full((1,), n_key, device=q.device)
        else:
            n = visible.expand(*visible.shape[:-1], n_key).sum(-1)
        return (q.to(wide(q)) * (self.s * n.clamp(min=1).to(wide(q)).log())[..., None]).to(q.dtype)

    def forward(self, q, k, v, visible=None, scale=None, score=None):
        return self.mechanism(self.scaled(q, k, visible), k, v, visible, scale=scale, score=score)

    def looks(self, q, k, v, visible=None, scale=None, score=None):
        return looks_of(self.mechanism)(self.scaled(q, k, visible), k, v, visible, scale=scale, score=score)

    def asked(self, q, k, v, visible=None, scale=None, score=None):
        return asks(self.mechanism, self.scaled(q, k, visible), k, v, visible, scale, score)


def log_length(mechanism: Callable = attention, s: float = 1.0) -> LogLength:
    """`mechanism` with every score times s · log n, n being how many keys the query may look at.

    A key whose score leads those of all others by Δ has a share of 1/(1 + (n − 1) e^−Δ), which falls with n. Multiplied
    by s · log n, a lead of 1/s keeps at least half of the row at any length. With one key there is nothing to share.
    Half precision rounds the query once more. Raises ValueError for an s that is not above 0.
    Source: Chiang and Cholak 2022, arXiv 2202.12172, with log n of the whole text; by the keys that each query sees, a
    text read token by token gives the same.
    """
    return LogLength(mechanism, s)
