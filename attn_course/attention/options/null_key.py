"""A null key: a row may spend its attention on nothing."""

from collections.abc import Callable

import torch
from torch import nn

from attn_course.attention.formula import attention
from attn_course.attention.option import Option, asks, check_heads, check_sizes, looks_of
from attn_course.attention.options.front import score_with_front, visible_with_front, with_front


class NullKey(Option):
    """e^s / (e^b + Σ e^s): one learned logit b a head competes with the keys, and has no value.

    heads       of the layer (d_head is not needed)
    logit       where b begins. −∞ is the plain softmax, and stays it, for no gradient reaches it
    mechanism   what attends beside it

    The share that b takes is the null mass: rows of the weights sum to one less that. A head that has nothing to say
    can say nothing, and needs no token whose value it has learned to ignore. A query that sees no key gets zeros.
    With b fixed at 0 it is softmax-off-by-one: `OffByOne`. Source: a learned logit a head, as in gpt-oss (OpenAI 2025,
    arXiv 2508.10925); Xiao et al. 2023 (arXiv 2309.17453) try b = 0 as "zero sink".
    """

    def __init__(self, heads: int, d_head: int | None = None, logit: float = 0.0, mechanism: Callable = attention):
        super().__init__(mechanism)
        check_sizes("NullKey", heads)
        if not float(logit) < torch.inf:
            raise ValueError(f"The logit of a null key is a number, or −∞ for none; got {logit!r}.")
        self.heads = heads
        self.logit = nn.Parameter(torch.full((heads,), float(logit)))

    def _with_null(self, q, k, v, visible, score):
        check_heads("NullKey", self.heads, q)
        nothing_k, nothing_v = k.new_zeros(self.heads, k.shape[-1]), v.new_zeros(self.heads, v.shape[-1])
        score = score_with_front(score, self.logit)  # q · 0 + b
        return q, with_front(nothing_k, k), with_front(nothing_v, v), visible_with_front(visible), score

    def forward(self, q, k, v, visible=None, scale=None, score=None):
        q, k, v, visible, score = self._with_null(q, k, v, visible, score)
        return self.mechanism(q, k, v, visible, scale=scale, score=score)

    def looks(self, q, k, v, visible=None, scale=None, score=None):
        q, k, v, visible, score = self._with_null(q, k, v, visible, score)
        return looks_of(self.mechanism)(q, k, v, visible, scale=scale, score=score)

    def asked(self, q, k, v, visible=None, scale=None, score=None):
        asked = asks(self.mechanism, q, k, v, visible, scale, score)
        return asked and asked | {"sinks": self.logit}


class OffByOne(NullKey):
    """e^s / (1 + Σ e^s): a null key whose logit stays 0. Nothing is learned."""

    def __init__(self, heads: int, d_head: int | None = None, mechanism: Callable = attention):
        super().__init__(heads, d_head, 0.0, mechanism)
        del self.logit
        self.register_buffer("logit", torch.zeros(heads), persistent=False)
