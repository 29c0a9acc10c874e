"""Attention itself, in pure torch: the formula, and who may see whom."""

from attn_course.attention.formula import attention, attention_scores, attention_weights, masked_softmax
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

__all__ = [
    "Blocks",
    "Visibility",
    "attention",
    "attention_scores",
    "attention_weights",
    "causal",
    "document",
    "everything",
    "masked_softmax",
    "padding",
    "sinks",
    "visible_where",
    "window",
]
