"""The formula: softmax(QKᵀ/√d_k)V, as one would write it on a board.

Source: Vaswani et al. 2017, "Attention Is All You Need", equation 1.
"""

import math
import warnings
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attn_course.attention.shapes import shaped
from attn_course.attention.visibility import Visibility

Scores = Float[Tensor, "*batch query key"]
# What may change a score: (scores, query position, key position) → scores. A bias, a soft-cap.
ScoreChange = Callable[[Tensor, Int[Tensor, "query 1"], Int[Tensor, "1 key"]], Tensor]


@shaped
def attention(
    q: Float[Tensor, "*batch query d_k"],
    k: Float[Tensor, "*batch key d_k"],
    v: Float[Tensor, "*batch key d_v"],
    visible: Visibility | Tensor | None = None,
    scale: float | None = None,
    score: ScoreChange | None = None,
) -> Float[Tensor, "*batch query d_v"]:
    """softmax(QKᵀ·scale)V: every query takes a weighted average of the values.

    q, k, v   any leading axes, usually (batch, head)
    visible   who may look at whom: a `Visibility`, or True/False of shape (query, key) or anything that broadcasts
              to the scores. True = may look. Fewer queries than keys: the queries are the last ones (decoding).
    scale     what the dot products are multiplied by; 1/√d_k unless given
    score     a function (scores, query position, key position) → scores, applied after the scale: a bias, a soft-cap

    A query that sees no key gets zeros, with zero gradients. Half precision is widened to float32 inside, and the
    output has q's dtype. Raises ValueError or TypeError with one sentence for shapes, dtypes or devices that do not
    fit, for an empty sequence, and for NaN. Source: Vaswani et al. 2017, equation 1.
    """
    weights = attention_weights(q, k, visible, scale, score)  # (…, query, key)
    output = weights @ v.to(weights.dtype)  # (…, query, d_v)
    return output.to(q.dtype)


@shaped
def attention_weights(
    q: Float[Tensor, "*batch query d_k"],
    k: Float[Tensor, "*batch key d_k"],
    visible: Visibility | Tensor | None = None,
    scale: float | None = None,
    score: ScoreChange | None = None,
) -> Float[Tensor, "*batch query key"]:
    """softmax(QKᵀ·scale): how each query spends its attention. Rows sum to one, or to zero where nothing is visible.

    Arguments as in `attention`. The weights of float16 and bfloat16 inputs come back in float32.
    """
    return masked_softmax(attention_scores(q, k, visible, scale, score))


@shaped
def attention_scores(
    q: Float[Tensor, "*batch query d_k"],
    k: Float[Tensor, "*batch key d_k"],
    visible: Visibility | Tensor | None = None,
    scale: float | None = None,
    score: ScoreChange | None = None,
) -> Float[Tensor, "*batch query key"]:
    """QKᵀ·scale, with −∞ wherever the query may not look. Arguments as in `attention`."""
    if scale is None:
        scale = 1 / math.sqrt(q.shape[-1])
    wide = torch.promote_types(q.dtype, torch.float32)  # float16 ends at 65504
    scores = q.to(wide) @ k.to(wide).transpose(-2, -1) * scale  # (…, query, key)
    if score is not None:
        scores = score(scores, *positions(q.shape[-2], k.shape[-2], q.device))
    if visible is not None:
        scores = scores.masked_fill(~_dense(visible, scores), -math.inf)
    return scores


def masked_softmax(scores: Scores) -> Scores:
    """Softmax over the keys, where −∞ means "may not look", and a row of nothing but −∞ gives zeros, not NaN."""
    sees_nothing = scores.isneginf().all(dim=-1, keepdim=True)  # (…, query, 1)
    # Such a row is thrown away below; made finite first, or its NaN would live on in the gradient.
    weights = scores.masked_fill(sees_nothing, 0.0).softmax(dim=-1)
    return weights.masked_fill(sees_nothing, 0.0)


def positions(n_query: int, n_key: int, device=None) -> tuple[Int[Tensor, "query 1"], Int[Tensor, "1 key"]]:
    """Where each query and each key stands. Fewer queries than keys: the queries are the last ones."""
    j = torch.arange(n_key, device=device)
    i = torch.arange(n_key - n_query, n_key, device=device)
    return i[:, None], j[None, :]


def _dense(visible: Visibility | Tensor, scores: Tensor) -> Tensor:
    """`visible` as True and False that broadcast to the scores."""
    *_, n_query, n_key = scores.shape
    if isinstance(visible, Visibility):
        visible = visible.dense(n_query, n_key, device=scores.device)
    if visible.dtype != torch.bool:
        raise TypeError(
            f"visible should hold True and False (True = may look), got {visible.dtype}. Write visible.bool() if 1 "
            "means may look; a mask that is added to the scores goes into score=lambda scores, i, j: scores + mask."
        )
    try:
        fits = torch.broadcast_shapes(visible.shape, scores.shape) == scores.shape
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"visible has shape {tuple(visible.shape)}, the scores have {tuple(scores.shape)}. "
            "Give one True or False for each query and key: (query, key), or (batch, 1, query, key)."
        )
    if visible.device != scores.device:
        raise ValueError(f"visible is on {visible.device}, q on {scores.device}. Move it: visible.to(q.device).")
    if not visible.any():
        warnings.warn(
            "No query may look at any key, so the output is all zeros. If that is a surprise, look at the mask: "
            "True means may look.",
            stacklevel=4,
        )
    return visible
