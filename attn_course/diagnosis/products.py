"""What goes into the softmax, and what half precision would have to hold. Part of `vitals`."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attn_course.attention.shapes import shaped
from attn_course.diagnosis.thresholds import FLOAT16_MAX


@shaped
def max_logit(scores: Float[Tensor, "batch head query key"]) -> Float[Tensor, "batch head"]:
    """The greatest score of a head, scaled and masked as it goes into the softmax.

    Healthy: tens. Every run above 10⁴ diverged in Wortsman et al. 2023 (2309.14322).
    """
    return scores.amax((-2, -1))


@shaped
def largest_product(
    q: Float[Tensor, "batch head query d_k"], k: Float[Tensor, "batch head key d_k"]
) -> Float[Tensor, "batch head"]:
    """max |q·k| before any scale, in at least float32: what half precision would have to hold."""
    wide = torch.promote_types(q.dtype, torch.float32)
    return (q.to(wide) @ k.to(wide).mT).abs().amax((-2, -1))


@shaped
def overflow(
    q: Float[Tensor, "batch head query d_k"], k: Float[Tensor, "batch head key d_k"]
) -> Bool[Tensor, "batch head"]:
    """Does a raw product pass 65504, the greatest number of float16? Then it is ∞ there, and the row NaN.

    The scale comes too late if it comes after. Healthy: never.
    """
    return largest_product(q, k) > FLOAT16_MAX
