"""A penalty that grows with the distance, and more in some heads than in others."""

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_alibi(scores: Tensor) -> Tensor:
    """Head by head, query by query, over the keys up to the query. Heads are a power of two."""
    heads, n, _ = scores.shape
    maps = []
    for h in range(heads):
        slope = 2.0 ** (-8 * (h + 1) / heads)
        rows = []
        for i in range(n):
            powers = [(scores[h, i, j] - slope * (i - j)).exp() for j in range(i + 1)]
            total = sum(powers)
            rows.append(torch.stack([power / total for power in powers] + [scores.new_zeros(())] * (n - i - 1)))
        maps.append(torch.stack(rows))
    return torch.stack(maps)


def _slopes(heads: int) -> Tensor:
    return 2.0 ** (-8 * torch.arange(1, heads + 1, dtype=torch.float64) / heads)


def _back(n: int) -> Tensor:
    """(query, key): how far the key lies back."""
    return (torch.arange(n)[:, None] - torch.arange(n)).double()


def _hidden(n: int) -> Tensor:
    return torch.ones(n, n, dtype=torch.bool).triu(1)


def _with(slopes=_slopes, back=_back, hidden=_hidden, sign=-1, bias=lambda b: b):
    """The solution with one part exchanged for a wrong one."""

    def answer(scores: Tensor) -> Tensor:
        heads, n, _ = scores.shape
        penalty = bias(slopes(heads)[:, None, None] * back(n))
        return (scores + sign * penalty).masked_fill(hidden(n), -torch.inf).softmax(-1)

    return answer


def _nothing_hidden(n: int) -> Tensor:
    return torch.zeros(n, n, dtype=torch.bool)


def _after(scores: Tensor) -> Tensor:
    """The penalty multiplied into the weights, which are not brought to one again."""
    heads, n, _ = scores.shape
    weights = scores.masked_fill(_hidden(n), -torch.inf).softmax(-1)
    return weights * (-_slopes(heads)[:, None, None] * _back(n)).exp()


def _future_is_not_seen(out: Tensor, scores: Tensor) -> str | None:
    if bool((out.triu(1).abs() > 1e-9).any()):
        return "A query gives weight to a key after it. The weights are causal."
    return None


TASK = Task(
    id="order.alibi",
    reference=slow_alibi,
    cases=(
        Case("2 heads, 3 tokens", (random(2, 3, 3, seed=1),)),
        Case("1 head, 4 tokens", (random(1, 4, 4, seed=2),)),
        Case("4 heads, 4 tokens, scores all zero", (torch.zeros(4, 4, 4, dtype=torch.float64),)),
        Case("8 heads, 6 tokens", (random(8, 6, 6, seed=4),)),
    ),
    axes=("head", "query", "key"),
    properties=(_future_is_not_seen,),
    mistakes=(
        Mistake(
            "rewarded",
            "Far keys are rewarded: the sign is turned, or the penalty grows with the key's own place (which comes to "
            "the same). Take slope · (i − j) *away* from the score.",
            _with(sign=1),
        ),
        Mistake(
            "symmetric",
            "The distance counts to both sides, and the future is seen. These weights are causal: hide keys after the "
            "query with −∞ before the softmax.",
            _with(back=lambda n: _back(n).abs(), hidden=_nothing_hidden),
        ),
        Mistake(
            "future_rewarded",
            "The future is not hidden, and there i − j is negative, so that keys far ahead are rewarded most. Hide "
            "them with −∞ before the softmax.",
            _with(hidden=_nothing_hidden),
        ),
        Mistake(
            "slopes_reversed",
            "The slopes run the other way: head 0 is the steepest, 2^(−8/heads), and the last the flattest, 2^(−8).",
            _with(slopes=lambda heads: _slopes(heads).flip(0)),
        ),
        Mistake(
            "slopes_from_one",
            "The first slope is 1. They start at 2^(−8/heads): number the heads from 1 in the exponent.",
            _with(slopes=lambda heads: 2.0 ** (-8 * torch.arange(heads, dtype=torch.float64) / heads)),
        ),
        Mistake(
            "slopes_without_heads",
            "The slopes are 2^(−1), 2^(−2), … whatever the number of heads. That is right for 8 heads alone; the last "
            "slope is always 2^(−8).",
            _with(slopes=lambda heads: 2.0 ** -torch.arange(1, heads + 1, dtype=torch.float64)),
        ),
        Mistake(
            "one_slope",
            "All heads have the same slope. Each gets its own, so that some look near and some far.",
            _with(slopes=lambda heads: _slopes(heads)[:1].expand(heads)),
        ),
        Mistake(
            "squared",
            "The penalty grows with the square of the distance. It is linear, as the name says.",
            _with(back=lambda n: _back(n).square()),
        ),
        Mistake(
            "after_the_softmax",
            "The weights are weakened after the softmax, and no longer sum to one. Change the scores, then take the "
            "softmax.",
            _after,
        ),
        Mistake(
            "no_penalty",
            "No distance is in it: these are plain causal weights.",
            _with(bias=lambda b: 0 * b),
        ),
    ),
)
