"""Attention itself, in pure torch: the formula, who may see whom, many heads, and order."""

from attn_course.attention.cache import KVCache, cache_bytes
from attn_course.attention.formula import attention, attention_scores, attention_weights, masked_softmax
from attn_course.attention.fused import fused
from attn_course.attention.heads import MultiHead
from attn_course.attention.positions import ALiBi, Learned, NoPositions, RelativeBias, Rotary, Sinusoidal
from attn_course.attention.soft_cap import soft_cap
from attn_course.attention.visibility import (
    Blocks,
    Visibility,
    causal,
    document,
    everything,
    padding,
    sinks,
    visible_where,
    window,
)
from attn_course.attention.watching import LayerRecord, hiding, patching, reweighing, silencing, watching

__all__ = [
    "ALiBi",
    "Blocks",
    "KVCache",
    "LayerRecord",
    "Learned",
    "MultiHead",
    "NoPositions",
    "RelativeBias",
    "Rotary",
    "Sinusoidal",
    "Visibility",
    "attention",
    "attention_scores",
    "attention_weights",
    "cache_bytes",
    "causal",
    "document",
    "everything",
    "fused",
    "hiding",
    "masked_softmax",
    "padding",
    "patching",
    "reweighing",
    "silencing",
    "sinks",
    "soft_cap",
    "visible_where",
    "watching",
    "window",
]
