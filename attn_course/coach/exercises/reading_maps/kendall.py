"""Do two vectors of scores put the tokens in the same order? Kendall's τ-b, which knows about ties."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_kendall(a: Tensor, b: Tensor) -> float:
    """Pair by pair (Kendall 1945): +1 if both put it the same way round, −1 if not, 0 if either has a tie."""
    total = in_a = in_b = 0
    for i in range(len(a)):
        for j in range(i):
            one, other = _sign(float(a[i] - a[j])), _sign(float(b[i] - b[j]))
            total += one * other
            in_a += one != 0
            in_b += other != 0
    return total / (in_a * in_b) ** 0.5


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


def _signs(a: Tensor) -> Tensor:
    """One number a pair i > j: which way round a puts it."""
    i, j = torch.tril_indices(len(a), len(a), -1)
    return (a[i] - a[j]).sign()


def _with(count: Callable = lambda x, y: (x * y).sum(), pairs: Callable | None = None) -> Callable:
    """The solution with another count of pairs above the line, or another number of pairs below it."""

    def answer(a, b):
        x, y = _signs(a), _signs(b)
        below = (x.square().sum() * y.square().sum()).sqrt() if pairs is None else pairs(x, y, len(a))
        return (count(x, y) / below).item()

    return answer


def _agreed_minus_not(x: Tensor, y: Tensor) -> Tensor:
    return (x == y).sum() - (x != y).sum()


def _ranks(a: Tensor) -> Tensor:
    """Places in the order, tied tokens sharing the mean of theirs."""
    return (a[:, None] > a).to(a.dtype).sum(1) + (a[:, None] == a).to(a.dtype).sum(1) / 2


def _pearson(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    return ((a * b).sum() / (a.norm() * b.norm())).item()


def _in_range(out: float, a: Tensor, b: Tensor) -> str | None:
    if abs(out) <= 1 + 1e-9:
        return None
    return f"τ lies between −1 (every pair the other way round) and 1 (every pair the same): yours is {out:.3g}."


def _of(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def _coarse(n: int, seed: int) -> Tensor:
    """Scores of few values: many are tied."""
    return (2 * random(n, seed=seed)).round() / 2


TASK = Task(
    id="reading-maps.kendall",
    reference=slow_kendall,
    cases=(
        Case("3 tokens, one pair the other way round", (_of(0.1, 0.3, 0.6), _of(0.2, 0.5, 0.3))),
        Case("4 tokens, two of them tied in a", (_of(0.1, 0.1, 0.3, 0.5), _of(0.0, 0.2, 0.3, 0.5))),
        Case("4 tokens, two pairs tied in b", (_of(0.4, 0.3, 0.2, 0.1), _of(0.0, 0.5, 0.0, 0.5))),
        Case("5 tokens, three of them 0 in both", (_of(0.7, 0.3, 0.0, 0.0, 0.0), _of(0.6, 0.4, 0.0, 0.0, 0.0))),
        Case("4 tokens, in the opposite order (expected: −1)", (_of(1.0, 2.0, 3.0, 4.0), _of(9.0, 6.0, 2.0, -1.0))),
        Case("12 tokens, many tied", (_coarse(12, seed=1), _coarse(12, seed=2))),
        Case("20 tokens", (random(20, seed=3), random(20, seed=3) + random(20, seed=4))),
        Case("30 tokens, many tied", (_coarse(30, seed=5), _coarse(30, seed=5) + _coarse(30, seed=6))),
    ),
    gradients=False,
    refused=("kendalltau",),
    properties=(_in_range,),
    mistakes=(
        Mistake(
            "tau_a",
            "You divide by the number of all pairs. That is τ-a: with a tie on either side it can never reach 1, even "
            "if no pair contradicts. τ-b divides by √(pairs that a does not tie · pairs that b does not tie).",
            _with(pairs=lambda x, y, n: n * (n - 1) / 2),
        ),
        Mistake(
            "ties_dropped",
            "You divide by the pairs that are tied in neither vector, as if no others were there. That is Goodman and "
            "Kruskal's γ: one pair that both order can make it 1. τ-b divides by √(pairs untied in a · pairs untied "
            "in b).",
            _with(pairs=lambda x, y, n: (x * y).abs().sum()),
        ),
        Mistake(
            "ties_of_a_only",
            "Below the line stand the pairs that a does not tie, and b's ties are forgotten. It is the root of a "
            "product, one factor for each vector; exchange a and b, and τ must stay what it is.",
            _with(pairs=lambda x, y, n: x.square().sum()),
        ),
        Mistake(
            "ties_of_b_only",
            "Below the line stand the pairs that b does not tie, and a's ties are forgotten. It is the root of a "
            "product, one factor for each vector; exchange a and b, and τ must stay what it is.",
            _with(pairs=lambda x, y, n: y.square().sum()),
        ),
        Mistake(
            "no_root",
            "The product below the line has no root: √(pairs untied in a · pairs untied in b).",
            _with(pairs=lambda x, y, n: x.square().sum() * y.square().sum()),
        ),
        Mistake(
            "over_n_squared",
            "You took the mean over all n² cells of the table of pairs. Its diagonal, each token beside itself, is no "
            "pair, and nor is a tie: divide by the pairs that count.",
            _with(count=lambda x, y: 2 * (x * y).sum(), pairs=lambda x, y, n: n * n),
        ),
        Mistake(
            "counted_twice",
            "Every pair is counted twice above the line, as (i, j) and as (j, i), and once below it.",
            _with(count=lambda x, y: 2 * (x * y).sum()),
        ),
        Mistake(
            "counted_twice_below",
            "Every pair is counted twice below the line, as (i, j) and as (j, i), and once above it.",
            _with(count=lambda x, y: (x * y).sum() / 2),
        ),
        Mistake(
            "ties_agree",
            "Ties take part in the vote: a pair tied in both was counted as agreement, a pair tied in one as "
            "contradiction. A tie says nothing about an order: it counts 0 above the line.",
            _with(count=_agreed_minus_not, pairs=lambda x, y, n: n * (n - 1) / 2),
        ),
        Mistake(
            "agreement_alone",
            "You counted the pairs that agree. Take away those that contradict, or two random orders would seem to "
            "agree by half.",
            _with(count=lambda x, y: (x * y > 0).sum()),
        ),
        Mistake(
            "sign_flipped",
            "The sign is turned round: a pair that both put the same way counts +1, and two equal orders give 1.",
            _with(count=lambda x, y: -(x * y).sum()),
        ),
        Mistake(
            "spearman",
            "This is Spearman's ρ, the correlation of the ranks. It weighs how far a token is displaced; Kendall asks "
            "of each pair only which comes first.",
            lambda a, b: _pearson(_ranks(a), _ranks(b)),
        ),
        Mistake(
            "pearson",
            "This is Pearson's correlation of the scores themselves. One large score decides it; Kendall looks at the "
            "order alone.",
            _pearson,
        ),
    ),
)
