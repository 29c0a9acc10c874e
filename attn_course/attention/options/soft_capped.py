"""The soft-cap as a mechanism, for models that take one."""

from collections.abc import Callable

from attn_course.attention.formula import attention
from attn_course.attention.option import Option, asks, looks_of
from attn_course.attention.soft_cap import soft_cap


class SoftCapped(Option):
    """Attention whose dot products, after the scale, are soft-capped. Nothing is learned. Make one: `soft_capped`."""

    def __init__(self, cap: float, mechanism: Callable = attention):
        super().__init__(mechanism)
        self.cap, self._capped = cap, soft_cap(cap)

    def extra_repr(self) -> str:
        return f"cap={self.cap:g}"

    def _score(self, score):
        if score is None:
            return self._capped
        return lambda scores, i, j: score(self._capped(scores, i, j), i, j)

    def forward(self, q, k, v, visible=None, scale=None, score=None):
        return self.mechanism(q, k, v, visible, scale=scale, score=self._score(score))

    def looks(self, q, k, v, visible=None, scale=None, score=None):
        return looks_of(self.mechanism)(q, k, v, visible, scale=scale, score=self._score(score))

    def asked(self, q, k, v, visible=None, scale=None, score=None):
        return asks(self.mechanism, q, k, v, visible, scale, self._score(score))


def soft_capped(cap: float, mechanism: Callable = attention) -> SoftCapped:
    """`mechanism` with scores cap · tanh(q·k·scale / cap): none leaves ±cap (`attention.soft_cap`).

    A `score` by position (a bias, ALiBi) is added afterwards, so that far keys can still be pushed below −cap. Raises
    ValueError for a cap that is not above 0. torch's fused kernel has no place for it. Source: Gemma 2 (Gemma Team
    2024, arXiv 2408.00118).
    """
    return SoftCapped(cap, mechanism)
