"""torch's own fused attention as a mechanism: the same formula, without the N × N map in memory."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from attn_course.attention.formula import ScoreChange, positions
from attn_course.attention.visibility import Visibility, causal


def fused(
    q: Float[Tensor, "batch head query d_k"],
    k: Float[Tensor, "batch head key d_k"],
    v: Float[Tensor, "batch head key d_v"],
    visible: Visibility | Tensor | None = None,
    scale: float | None = None,
    score: ScoreChange | None = None,
) -> Float[Tensor, "batch head query d_v"]:
    """`attention` by torch's scaled_dot_product_attention. Arguments as there; nothing is checked, for speed.

    A `score` may add to the scores (a bias, ALiBi) and nothing else: torch's kernel has no place for a soft-cap.
    A query of NaN may come out as zeros: with few keys torch's CPU kernel takes its row for one that sees nothing.
    """
    n_query, n_key = q.shape[-2], k.shape[-2]
    if visible is causal and score is None and n_query == n_key:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
    mask = visible.dense(n_query, n_key, device=q.device) if isinstance(visible, Visibility) else visible
    if score is not None:
        bias = score(
            torch.zeros(1, q.shape[1], n_query, n_key, dtype=q.dtype, device=q.device),
            *positions(n_query, n_key, q.device),
        )
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
