"""How many keys carry a given share of a row?"""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_cover(weights: Tensor, share: float) -> Tensor:
    """Row by row: take the largest weight that is left, until enough is held."""
    counts = []
    for row in weights.reshape(-1, weights.shape[-1]):
        left, held, count = sorted(row.tolist(), reverse=True), 0.0, 0
        enough = share * sum(left)
        while held < enough:
            held += left[count]
            count += 1
        counts.append(count)
    return torch.tensor(counts).reshape(weights.shape[:-1])


def _with(
    order: Callable = lambda w: w.sort(dim=-1, descending=True).values,
    whole: Callable = lambda w: w.sum(-1, keepdim=True),
    count: Callable = lambda held, enough: (held < enough).sum(-1) + 1,
    nothing: Callable = lambda count, w: count.masked_fill(w.sum(-1) == 0, 0),
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(weights, share):
        held = order(weights).cumsum(-1)
        return nothing(count(held, share * whole(weights)), weights)

    return answer


def _one_set_for_all(weights: Tensor, share: float) -> Tensor:
    mean = weights.mean(-2, keepdim=True)
    return _with()(mean, share).expand(weights.shape[:-1]).clone()


def _counts(out: Tensor, weights: Tensor, share: float) -> str | None:
    n = weights.shape[-1]
    wrong = (out < 0) | (out > n)
    return f"A row has {n} keys, so 0 to {n} of them are needed; you say {int(out[wrong][0])}." if wrong.any() else None


def _rows(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def _map(*shape: int, seed: int, by: float = 1.0) -> Tensor:
    return (by * random(*shape, seed=seed)).softmax(-1)


def _causal(n: int, *lead: int, seed: int) -> Tensor:
    hidden = torch.ones(n, n, dtype=torch.bool).triu(1)
    return random(*lead, n, n, seed=seed).masked_fill(hidden, -torch.inf).softmax(-1)


TASK = Task(
    id="waste.cover",
    reference=slow_cover,
    cases=(
        Case("1 query, 4 keys, 0.8 of the row", (_rows([0.125, 0.5, 0.0625, 0.3125]), 0.8)),
        Case("0.75 of the row, which two keys hold exactly", (_rows([0.25, 0.125, 0.5, 0.125]), 0.75)),
        Case("all of the row, and two of five keys have nothing", (_rows([0.25, 0.0, 0.5, 0.0, 0.25]), 1.0)),
        Case("3 queries, of which one sees no key", (_rows([0.5, 0.5, 0], [0, 0, 0], [0.25, 0.25, 0.5]), 0.9)),
        Case("2 rows that add up to 0.5 and to 2", (_rows([0.25, 0.125, 0.125], [0.25, 1.25, 0.5]), 0.8)),
        Case("6 tokens, causal, 0.96 of each row", (_causal(6, seed=1), 0.96)),
        Case("2 texts, 3 heads, 5 queries, 7 keys, 0.96 of each row", (_map(2, 3, 5, 7, seed=2, by=2.0), 0.96)),
        Case("2 heads, 9 tokens, causal, half of each row", (_causal(9, 2, seed=3), 0.5)),
    ),
    axes=("query",),
    gradients=False,
    properties=(_counts,),
    mistakes=(
        Mistake(
            "one_too_few",
            "You count the keys that do *not yet* hold enough. The next one, which makes it enough, belongs to them.",
            _with(count=lambda held, enough: (held < enough).sum(-1)),
        ),
        Mistake(
            "more_than_the_share",
            "Where the keys hold exactly the share it is enough; you take one more.",
            _with(count=lambda held, enough: (held <= enough).sum(-1) + 1),
        ),
        Mistake(
            "not_sorted",
            "You go through the keys in the order in which they stand. The fewest keys are the largest ones: sort "
            "first.",
            _with(order=lambda w: w),
        ),
        Mistake(
            "smallest_first",
            "You begin with the smallest weights, which is how to need the *most* keys. Sort the other way.",
            _with(order=lambda w: w.sort(dim=-1).values),
        ),
        Mistake(
            "of_one",
            "The share is meant of what the row holds, and a row need not add up to one (a sigmoid's does not, nor one "
            "from which weights were dropped). Compare with share · (sum of the row).",
            _with(whole=lambda w: torch.ones_like(w[..., :1])),
        ),
        Mistake(
            "nothing_needs_one",
            "A query that sees no key holds nothing, and no key is needed for that: 0, not 1.",
            _with(nothing=lambda count, w: count),
        ),
        Mistake(
            "large_ones",
            "You count the weights above 1 − share. A bound for single weights says nothing of what they add up to: "
            "sort, and add up.",
            lambda weights, share: (weights > 1 - share).sum(-1),
        ),
        Mistake(
            "one_set_for_all",
            "You averaged the rows first, so every query gets the same count. Each row has its own keys: count row by "
            "row.",
            _one_set_for_all,
        ),
        Mistake(
            "over_the_queries",
            "You sort and add up over the queries (axis −2): that is how many queries give a key most of what it "
            "receives. A row is a query's: axis −1.",
            lambda weights, share: _with()(weights.transpose(-2, -1), share),
        ),
        Mistake(
            "as_a_share",
            "This is a share of the keys. Asked is their number.",
            lambda weights, share: _with()(weights, share) / weights.shape[-1],
        ),
    ),
)
