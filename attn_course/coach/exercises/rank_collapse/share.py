"""How much of a difference between tokens one map of weights lets through."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_share(weights: Tensor) -> Tensor:
    """The largest ‖C A X‖ / ‖X‖ over tokens X whose mean is zero (C takes the mean away), map by map.

    In a basis of the vectors whose entries sum to zero, it is the root of the largest eigenvalue of BᵀAᵀCAB.
    """
    n = weights.shape[-1]
    centre = torch.eye(n, dtype=weights.dtype) - 1 / n
    basis = torch.linalg.eigh(centre).eigenvectors[:, 1:]  # orthonormal, and each column sums to zero
    found = []
    for a in weights.reshape(-1, n, n):
        through = centre @ a @ basis
        found.append(torch.linalg.eigvalsh(through.T @ through)[-1].clamp(min=0).sqrt())
    return torch.stack(found).reshape(weights.shape[:-2])


def _centred(a: Tensor) -> Tensor:
    return a - a.mean(-2, keepdim=True)


def _with(size: Callable) -> Callable:
    return lambda weights: size(_centred(weights))


def _largest(a: Tensor) -> Tensor:
    return torch.linalg.svdvals(a)[..., 0]


def _not_negative(out: Tensor, *_) -> str | None:
    return None if (out >= 0).all() else "A share of what comes through is never negative."


def _maps(*lead: int, n: int, sharp: float, seed: int) -> Tensor:
    return (sharp * random(*lead, n, n, seed=seed)).softmax(-1)


_TWO = torch.tensor([[0.75, 0.25], [0.5, 0.5]], dtype=torch.float64)
_CAMPS = torch.tensor([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]], dtype=torch.float64)

TASK = Task(
    id="rank-collapse.share",
    reference=slow_share,
    cases=(
        Case("2 tokens: rows ¾ ¼ and ½ ½", (_TWO,), 1e-7),
        Case("4 tokens that copy two, each of them twice", (_CAMPS,), 1e-7),
        Case("3 tokens", (_maps(n=3, sharp=1.0, seed=1),), 1e-7),
        Case(
            "4 tokens, one key drinks nearly all", (_maps(n=4, sharp=1.0, seed=2).mul(0.1).add(_CAMPS[0] * 0.9),), 1e-7
        ),
        Case("2 texts, 3 heads, 5 tokens", (_maps(2, 3, n=5, sharp=2.0, seed=3),), 1e-7),
    ),
    axes=("head",),
    gradients=False,
    properties=(_not_negative,),
    mistakes=(
        Mistake(
            "second_singular",
            "The second singular value of A is nearly it. But A's first direction is not exactly the one in which all "
            "tokens are equal. Take the mean row away first, then the *first* singular value is the answer.",
            lambda weights: torch.linalg.svdvals(weights)[..., 1],
        ),
        Mistake(
            "first_singular",
            "This is the largest singular value of A itself. It belongs to what is common to all tokens, which comes "
            "through whole: take the mean row away first.",
            _largest,
        ),
        Mistake(
            "mean_of_the_row",
            "You took 1/n away, the mean of each row (axis −1). What all queries have in common is the mean *of the "
            "rows*, over axis −2, even or not.",
            lambda weights: _largest(weights - weights.mean(-1, keepdim=True)),
        ),
        Mistake(
            "eigenvalue",
            "This is the second largest eigenvalue. It tells what survives if the *same* map is applied for ever; in a "
            "single step a difference can shrink less than that, or grow. Singular values.",
            lambda weights: torch.linalg.eigvals(weights).abs().sort(-1, descending=True).values[..., 1],
        ),
        Mistake(
            "frobenius",
            "This is Frobenius' norm, all directions together. Asked is the one that comes through best: the largest "
            "singular value.",
            _with(lambda a: a.square().sum((-2, -1)).sqrt()),
        ),
        Mistake(
            "squared",
            "This is the square: the eigenvalue of AᵀA. Take the root.",
            _with(lambda a: _largest(a).square()),
        ),
        Mistake(
            "smallest",
            "This is the direction that comes through worst. Singular values come in falling order: take the first.",
            _with(lambda a: torch.linalg.svdvals(a)[..., -1]),
        ),
        Mistake(
            "nuclear",
            "This is the sum of all singular values. Take the largest.",
            _with(lambda a: torch.linalg.svdvals(a).sum(-1)),
        ),
        Mistake(
            "second_by_first",
            "You divided A's second singular value by its first. Take the mean row away, and the first singular value "
            "of what remains is the answer by itself: it says how much longer or shorter a difference becomes.",
            lambda weights: (values := torch.linalg.svdvals(weights))[..., 1] / values[..., 0],
        ),
        Mistake(
            "by_the_common",
            "You divided by the largest singular value of A. Differences are compared with differences: how long "
            "they were before the map, and after it.",
            lambda weights: _largest(_centred(weights)) / _largest(weights),
        ),
    ),
)
