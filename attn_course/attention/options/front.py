"""One more key, before those of the text: what it does to the keys, to who may look, and to a change of scores."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_course.attention.visibility import Visibility


def with_front(front: Tensor, x: Tensor) -> Tensor:
    """A vector for each head, (head, d), before the tokens of x (batch, head, token, d)."""
    front = front.to(x.dtype)[:, None].expand(*x.shape[:-2], 1, x.shape[-1])
    return torch.cat([front, x], dim=-2)


def visible_with_front(visible: Visibility | Tensor | None) -> Visibility | Tensor | None:
    """Every query may look at key 0; at the others, which stand one further on, as before."""
    if visible is None:
        return None
    if isinstance(visible, Tensor):
        return F.pad(visible, (1, 0), value=True)
    length = None if visible.length is None else visible.length + 1
    return Visibility(
        lambda i, j: (j < 1) | visible.rule(i - 1, (j - 1).clamp(min=0)), f"one more key | ({visible.name})", length
    )


def score_with_front(score, logit: Tensor | None = None):
    """`score` on the keys of the text, told where they stand there; `logit` (head,) added to that of key 0."""
    if score is None and logit is None:
        return None

    def change(scores: Tensor, i: Tensor, j: Tensor) -> Tensor:
        first = scores if logit is None else scores + logit.to(scores.dtype)[:, None, None]
        others = scores if score is None else score(scores, i - 1, (j - 1).clamp(min=0))
        return torch.where(j < 1, first, others)

    return change
