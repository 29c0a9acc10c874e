"""Attention without a softmax: each key is judged alone."""

import math

from jaxtyping import Float
from torch import Tensor

from attn_course.attention.formula import ScoreChange, attention_scores
from attn_course.attention.shapes import shaped
from attn_course.attention.visibility import Visibility


@shaped
def sigmoid_attention(
    q: Float[Tensor, "*batch query d_k"],
    k: Float[Tensor, "*batch key d_k"],
    v: Float[Tensor, "*batch key d_v"],
    visible: Visibility | Tensor | None = None,
    scale: float | None = None,
    score: ScoreChange | None = None,
) -> Float[Tensor, "*batch query d_v"]:
    """σ(QKᵀ·scale − log n)V: keys do not compete, and a row may sum to anything from 0 to n.

    Arguments as in `attention`. n is how many keys the query may look at: with scores of 0, every weight is 1/(n + 1),
    so that a row begins near the sum of a softmax. A query that sees no key gets zeros.

    Source: Ramapuram et al. 2024, arXiv 2409.04431, with a bias of −log n for texts of n tokens. That a causal query
    counts only the keys it sees is this course's choice: a text that is read token by token then gives the same.
    """
    scores = attention_scores(q, k, visible, scale, score)  # (…, query, key)
    n = (~scores.isneginf()).sum(-1, keepdim=True).clamp(min=1)  # (…, query, 1)
    weights = (scores - n.to(scores.dtype).log()).masked_fill(scores.isneginf(), -math.inf).sigmoid()
    return (weights @ v.to(weights.dtype)).to(q.dtype)


def _no_softmax(q, k, v, visible=None, scale=None, score=None) -> None:
    """There is none, so entropy and its kin say nothing of this mechanism. See `Option.asked`."""
    return None


sigmoid_attention.asked = _no_softmax
