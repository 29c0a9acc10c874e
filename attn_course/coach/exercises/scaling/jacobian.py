"""The gradient of softmax."""

import torch
from torch import Tensor

from attn_course.coach.spec import AUTOGRAD, Case, Mistake, Task, random


def slow_jacobian(weights: Tensor) -> Tensor:
    """∂p_i/∂s_j, one pair at a time."""
    n = weights.shape[-1]
    rows = [
        torch.stack([weights[..., i] * ((1.0 if i == j else 0.0) - weights[..., j]) for j in range(n)], dim=-1)
        for i in range(n)
    ]
    return torch.stack(rows, dim=-2)


def _rows_cancel(output: Tensor, weights: Tensor) -> str | None:
    sums = output.sum(-1).abs().max().item()
    if sums < 1e-6:
        return None
    return (
        f"Adding the same number to every score changes no weight, so each row must sum to 0; yours sums to {sums:.3g}."
    )


def _outer(w: Tensor) -> Tensor:
    return w[..., :, None] * w[..., None, :]


TASK = Task(
    id="scaling.jacobian",
    reference=slow_jacobian,
    cases=(
        Case("2 keys", (random(2).softmax(-1),)),
        Case("3 keys", (random(3, seed=1).softmax(-1),)),
        Case("2 queries, 4 keys", (random(2, 4, seed=3).softmax(-1),)),
        Case("2 sentences, 4 queries, 5 keys", ((2 * random(2, 4, 5, seed=2)).softmax(-1),)),
    ),
    axes=("weight", "score"),
    refused=AUTOGRAD,
    properties=(_rows_cancel,),
    mistakes=(
        Mistake(
            "diagonal_only",
            "This is the diagonal, p(1−p): what a score does to its own weight. Raising one score also lowers every "
            "other weight: −p_i p_j off the diagonal.",
            lambda w: torch.diag_embed(w * (1 - w)),
        ),
        Mistake(
            "outer_only",
            "This is −p pᵀ, without the diagonal matrix of p that goes before it.",
            lambda w: -_outer(w),
        ),
        Mistake(
            "plus",
            "A plus where a minus belongs: weights compete, so one gains what the others lose.",
            lambda w: torch.diag_embed(w) + _outer(w),
        ),
        Mistake(
            "turned_round",
            "The sign is turned round: raising a score must raise its own weight.",
            lambda w: _outer(w) - torch.diag_embed(w),
        ),
        Mistake(
            "returns_diagonal_vector",
            "This is p(1−p) as a vector. The gradient of n weights by n scores is an n × n matrix.",
            lambda w: w * (1 - w),
        ),
        Mistake(
            "inner_product",
            "You multiplied p by p as a dot product, which is one number. Every pair (i, j) needs its own p_i p_j: an "
            "outer product.",
            lambda w: torch.diag_embed(w) - (w * w).sum(-1, keepdim=True)[..., None],
        ),
    ),
)
