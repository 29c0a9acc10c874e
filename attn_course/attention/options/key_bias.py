"""A learned key and value: somewhere to look that is no token (Sun et al. 2024, arXiv 2402.17762)."""

from collections.abc import Callable

import torch
from torch import nn

from attn_course.attention.formula import attention
from attn_course.attention.option import Option, asks, check_heads, check_sizes, looks_of
from attn_course.attention.options.front import score_with_front, visible_with_front, with_front


class KeyBias(Option):
    """softmax([q·k', QKᵀ]/√d_k) [v'; V]: each head has a key k' and a value v' of its own before those of the text.

    heads, d_head   of the layer; k' and v' are (head, d_head)
    mechanism       what attends with them

    Any query may look at k', also one that may look at no token: it gets v'. Its score is q·k' times the scale; a
    `score` by position leaves it alone. k' begins small and random, v' at zero. Rows of the weights on the text sum to
    one less the share of k'. Source: Sun et al. 2024, arXiv 2402.17762, where models trained with k' and v' made no
    massive activations.
    """

    adds = True

    def __init__(self, heads: int, d_head: int, mechanism: Callable = attention):
        super().__init__(mechanism)
        check_sizes("KeyBias", heads, d_head)
        self.heads, self.d_head = heads, d_head
        self.k = nn.Parameter(0.02 * torch.randn(heads, d_head))
        self.v = nn.Parameter(torch.zeros(heads, d_head))

    def _with_its_own(self, q, k, v, visible, score, value):
        check_heads("KeyBias", self.heads, q, self.d_head)
        if v.shape[-1] != value.shape[-1]:  # values of another width, such as a piece of the identity
            value = value.new_zeros(self.heads, v.shape[-1])
        return q, with_front(self.k, k), with_front(value, v), visible_with_front(visible), score_with_front(score)

    def forward(self, q, k, v, visible=None, scale=None, score=None):
        check_heads("KeyBias", self.heads, v, self.d_head)
        q, k, v, visible, score = self._with_its_own(q, k, v, visible, score, self.v)
        return self.mechanism(q, k, v, visible, scale=scale, score=score)

    def looks(self, q, k, v, visible=None, scale=None, score=None):
        q, k, v, visible, score = self._with_its_own(q, k, v, visible, score, torch.zeros_like(self.v))
        return looks_of(self.mechanism)(q, k, v, visible, scale=scale, score=score)

    def asked(self, q, k, v, visible=None, scale=None, score=None):
        q, k, v, visible, score = self._with_its_own(q, k, v, visible, score, self.v)
        asked = asks(self.mechanism, q, k, v, visible, scale, score)
        said = "has a learned key and value before those of the text: its vitals count it as one more key, key 0."
        return asked and asked | {"first_key": -1, "said": said}
