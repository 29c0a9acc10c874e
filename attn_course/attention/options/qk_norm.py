"""QK-norm: only the angle between a query and a key counts, and a learned number says how much."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from attn_course.attention.formula import attention
from attn_course.attention.option import Option, asks, check_heads, check_sizes, looks_of, wide


class QKNorm(Option):
    """score = g · cos(q, k): queries and keys are divided by their length, and g takes the place of the scale.

    heads, d_head   of the layer
    gain            where g begins, one learned number a head; √d_head unless given
    mechanism       what attends with them

    No score leaves ±|g|, however long the projections make their vectors, so among n keys no weight is above
    e^g / (e^g + (n − 1) e^−g), and a change of length cannot end in a row of one key. A zero vector stays zero (score
    0). `scale` is not used: g is the scale. A `score` (a bias) comes after it, and is not bounded.

    Sources: Henry et al. 2020 (arXiv 2010.04245), the form taken here: length 1 and a learned factor (there one for all
    heads, begun from the length of the texts). Dehghani et al. 2023 (arXiv 2302.05442) put a LayerNorm on q and on k
    and keep 1/√d_k. With RMS in its place and no weights of its own that is this form with g = √d_k, where ours begins.
    """

    def __init__(
        self, heads: int, d_head: int | None = None, gain: float | None = None, mechanism: Callable = attention
    ):
        super().__init__(mechanism)
        if gain is None and d_head is None:
            raise ValueError(
                "QKNorm begins with gain √d_head: give d_head, or the gain itself, QKNorm(heads, gain=4.0)."
            )
        check_sizes("QKNorm", heads, 1 if d_head is None else d_head)
        gain = math.sqrt(d_head) if gain is None else gain
        if not math.isfinite(gain):
            raise ValueError(f"The gain is the largest score that there can be, a finite number; got {gain!r}.")
        self.heads = heads
        self.gain = nn.Parameter(torch.full((heads,), float(gain)))

    def normalised(self, q, k):
        """g · q/‖q‖ and k/‖k‖, in q's dtype: their dot product is the score."""
        check_heads("QKNorm", self.heads, q)
        gain = self.gain.to(wide(q))[:, None, None]  # (head, 1, 1)
        tiny = torch.finfo(torch.float32).tiny
        unit_q, unit_k = (F.normalize(x.to(wide(x)), dim=-1, eps=tiny) for x in (q, k))
        return (gain * unit_q).to(q.dtype), unit_k.to(k.dtype)

    def forward(self, q, k, v, visible=None, scale=None, score=None):
        q, k = self.normalised(q, k)
        return self.mechanism(q, k, v, visible, scale=1.0, score=score)

    def looks(self, q, k, v, visible=None, scale=None, score=None):
        q, k = self.normalised(q, k)
        return looks_of(self.mechanism)(q, k, v, visible, scale=1.0, score=score)

    def asked(self, q, k, v, visible=None, scale=None, score=None):
        q, k = self.normalised(q, k)
        return asks(self.mechanism, q, k, v, visible, 1.0, score)
