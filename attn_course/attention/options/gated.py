"""A gate: each head decides, query by query, how much of its output passes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attn_course.attention.formula import attention
from attn_course.attention.option import Option, asks, check_heads, check_sizes, looks_of, wide


class Gated(Option):
    """σ(w·q + b) · attention(q, k, v): one gate for each head and query, between 0 and 1, on the head's output.

    heads, d_head   of the layer; w is (head, d_head), b is (head,)
    open            where b begins, w at zero: σ(2) = 0.88 of the output passes
    mechanism       what attends

    A head that has nothing to say closes its gate, and needs no sink. The gate is computed from the query as it comes
    to attention (turned, where positions are rotary). Source: Qiu et al. 2025, arXiv 2505.06708, who compute it from
    the layer's input, by feature or by head; from the query is this course's way, for a mechanism sees no more.
    """

    adds = True

    def __init__(self, heads: int, d_head: int, open: float = 2.0, mechanism: Callable = attention):
        super().__init__(mechanism)
        check_sizes("Gated", heads, d_head)
        self.heads, self.d_head = heads, d_head
        self.w = nn.Parameter(torch.zeros(heads, d_head))
        self.b = nn.Parameter(torch.full((heads,), float(open)))

    def gate(self, q: Tensor) -> Tensor:
        """(batch, head, query, 1), in float32 for half precision."""
        check_heads("Gated", self.heads, q, self.d_head)
        w, b = self.w.to(wide(q)), self.b.to(wide(q))
        return (q.to(wide(q)) @ w[:, :, None] + b[:, None, None]).sigmoid()

    def forward(self, q, k, v, visible=None, scale=None, score=None):
        output = self.mechanism(q, k, v, visible, scale=scale, score=score)
        return (self.gate(q) * output).to(output.dtype)

    def looks(self, q, k, v, visible=None, scale=None, score=None):
        return looks_of(self.mechanism)(q, k, v, visible, scale=scale, score=score)

    def asked(self, q, k, v, visible=None, scale=None, score=None):
        asked = asks(self.mechanism, q, k, v, visible, scale, score)
        said = "has a gate on its output: its vitals are those of the softmax before the gate."
        return asked and asked | {"gate": self.gate(q), "said": " and ".join(filter(None, (asked.get("said"), said)))}
