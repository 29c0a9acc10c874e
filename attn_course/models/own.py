"""Your own attention in the course's models: `EncoderDecoder(…, mechanism=own(attention))`."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attn_course.attention import Visibility

# Takes q (batch, head, query, d), k and v (batch, head, key, d) and who may look at whom, as True and False.
Own = Callable[
    [
        Float[Tensor, "batch head query d_k"],
        Float[Tensor, "batch head key d_k"],
        Float[Tensor, "batch head key d_v"],
        Bool[Tensor, "*batch query key"],
    ],
    Float[Tensor, "batch head query d_v"],
]


def own(attention: Own) -> Callable:
    """A mechanism made of a plain function attention(q, k, v, visible).

    Models say who may look at whom in three ways: by a rule (`causal`), by a matrix, or not at all. Your function is
    always handed a matrix of True (may look) and False, (query, key) or with leading axes of 1 or batch: it broadcasts
    to the scores. Raises ValueError with one sentence if what it returns has the wrong shape.
    """

    def mechanism(q, k, v, visible=None):
        if visible is None:
            visible = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device)
        elif isinstance(visible, Visibility):
            visible = visible.dense(q.shape[-2], k.shape[-2], device=q.device)
        output = attention(q, k, v, visible)
        wanted = (*q.shape[:-1], v.shape[-1])
        if not isinstance(output, Tensor) or output.shape != wanted:
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"{getattr(attention, '__name__', 'Your function')} should return (batch, head, query, d) = {wanted}, "
                f"got {got}: one averaged value for each query."
            )
        return output

    return mechanism
