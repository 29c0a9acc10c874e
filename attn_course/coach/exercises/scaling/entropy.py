"""Entropy of a row."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_entropy(weights: Tensor) -> Tensor:
    """Row by row and weight by weight; a weight of zero adds nothing."""
    rows = []
    for row in weights.reshape(-1, weights.shape[-1]):
        terms = [-p * p.log() for p in row if p > 0]
        rows.append(torch.stack(terms).sum())
    return torch.stack(rows).reshape(weights.shape[:-1])


def _between_zero_and_log_n(entropy_: Tensor, weights: Tensor) -> str | None:
    most = math.log(weights.shape[-1])
    if ((entropy_ >= -1e-9) & (entropy_ <= most + 1e-9)).all():
        return None
    return f"Over {weights.shape[-1]} keys the entropy lies between 0 and log n = {most:.3f}; yours does not."


_ONE_HOT = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]], dtype=torch.float64)

TASK = Task(
    id="scaling.entropy",
    reference=slow_entropy,
    cases=(
        Case("1 query, 2 keys", (random(1, 2).softmax(-1),)),
        Case("2 queries, 3 keys", (random(2, 3, seed=1).softmax(-1),)),
        Case("2 queries, 3 keys, some weights exactly 0", (_ONE_HOT,)),
        Case("2 sentences, 3 heads, 4 queries, 5 keys", ((2 * random(2, 3, 4, 5, seed=2)).softmax(-1),)),
    ),
    axes=("query",),
    gradients=False,  # the derivative at p = 0 is infinite, for right answers too
    properties=(_between_zero_and_log_n,),
    mistakes=(
        Mistake(
            "zero_times_infinity",
            "Right until a weight is exactly 0: then log gives −∞, and 0 · −∞ is NaN. Such a weight adds nothing to "
            "the entropy.",
            lambda w: -(w * w.log()).sum(-1),
        ),
        Mistake(
            "bits",
            "You took the logarithm to base 2, so this is in bits. The course measures in nats: natural logarithm.",
            lambda w: -torch.xlogy(w, w).sum(-1) / math.log(2),
        ),
        Mistake(
            "wrong_sign",
            "The logarithm of a weight is negative, so the sum needs a minus to become an entropy.",
            lambda w: torch.xlogy(w, w).sum(-1),
        ),
        Mistake(
            "mean_over_keys",
            "You averaged over the keys. Entropy is a sum; an average shrinks it by the number of keys.",
            lambda w: -torch.xlogy(w, w).mean(-1),
        ),
        Mistake(
            "over_queries",
            "You summed down the columns. Each query has its own entropy: sum along the keys, the last axis.",
            lambda w: -torch.xlogy(w, w).sum(-2),
        ),
        Mistake(
            "normalised",
            "You divided by log n, which gives a share between 0 and 1. Useful, and used later; here the nats are "
            "asked.",
            lambda w: -torch.xlogy(w, w).sum(-1) / math.log(w.shape[-1]),
        ),
        Mistake(
            "padded_logarithm",
            "The small number inside the logarithm keeps NaN away but shifts every other term a little. "
            "`torch.xlogy` or `torch.where` leaves them exact.",
            lambda w: -(w * (w + 1e-8).log()).sum(-1),
        ),
    ),
)
