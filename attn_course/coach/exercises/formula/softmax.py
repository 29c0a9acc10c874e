"""Softmax."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_softmax(scores: Tensor) -> Tensor:
    """One row at a time, in the order one would do it by hand."""
    rows = []
    for row in scores.reshape(-1, scores.shape[-1]):
        powers = torch.stack([(x - row.max()).exp() for x in row])
        rows.append(powers / powers.sum())
    return torch.stack(rows).reshape(scores.shape)


def _rows_sum_to_one(weights: Tensor, *_) -> str | None:
    sums = weights.sum(-1)
    if torch.allclose(sums, torch.ones_like(sums), atol=1e-6):
        return None
    worst = sums.flatten()[(sums.flatten() - 1).abs().nan_to_num(math.inf).argmax()].item()
    return (
        f"Each query has one unit of attention to spend, so every row must sum to 1; one of yours sums to {worst:.3g}."
    )


def _nothing_negative(weights: Tensor, *_) -> str | None:
    least = weights.min().item()
    return f"A weight cannot be negative; your smallest is {least:.3g}." if least < 0 else None


TASK = Task(
    id="formula.softmax",
    reference=slow_softmax,
    cases=(
        Case("1 query, 3 keys", (random(1, 3),)),
        Case("2 queries, 3 keys", (random(2, 3, seed=1),)),
        Case("3 queries, 3 keys", (random(3, 3, seed=2),)),
        Case("2 queries, 3 keys, scores near 1000", (random(2, 3, seed=3) + 1000,)),
        Case(
            "2 queries, 3 keys, one row 2000 above the other", (random(2, 3, seed=4) + torch.tensor([[2000.0], [0.0]]),)
        ),
        Case("2 sentences, 3 heads, 4 queries, 5 keys", (3 * random(2, 3, 4, 5, seed=5),)),
    ),
    axes=("query", "key"),
    refused=("softmax", "log_softmax", "softmin", "_softmax", *FUSED),
    properties=(_nothing_negative, _rows_sum_to_one),
    mistakes=(
        Mistake(
            "over_queries",
            "Your rows do not sum to one, your columns do: the softmax ran over the queries (axis −2). Each *query* "
            "decides how to spend its attention, so normalise over the keys.",
            lambda s: (s - s.amax(-2, keepdim=True)).exp() / (s - s.amax(-2, keepdim=True)).exp().sum(-2, keepdim=True),
        ),
        Mistake(
            "over_everything",
            "The whole matrix sums to one, so the queries share a single unit of attention. Each query has one of its "
            "own: sum along the last axis only, and keep it (`keepdim=True`).",
            lambda s: (
                (s - s.amax((-2, -1), keepdim=True)).exp()
                / (s - s.amax((-2, -1), keepdim=True)).exp().sum((-2, -1), keepdim=True)
            ),
        ),
        Mistake(
            "overflows",
            "Right for small scores, but exp(1000) is infinite, and infinity divided by infinity is NaN. Subtract each "
            "row's largest score first; softmax does not change.",
            lambda s: s.exp() / s.exp().sum(dim=-1, keepdim=True),
        ),
        Mistake(
            "one_maximum_for_all",
            "You subtracted the largest score of the whole matrix. A row far below it underflows: all its exponentials "
            "become 0, and 0/0 is NaN. Each row needs its own maximum.",
            lambda s: (s - s.max()).exp() / (s - s.max()).exp().sum(dim=-1, keepdim=True),
        ),
        Mistake(
            "not_normalised",
            "These are exponentials that nobody divided by their sum, so a row does not add up to one.",
            lambda s: (s - s.amax(-1, keepdim=True)).exp(),
        ),
        Mistake(
            "base_two",
            "These are powers of 2, not of e. The softmax of the formula uses exp; with another base every score is "
            "rescaled (here by ln 2).",
            lambda s: (
                torch.exp2(s - s.amax(-1, keepdim=True))
                / torch.exp2(s - s.amax(-1, keepdim=True)).sum(-1, keepdim=True)
            ),
        ),
        Mistake(
            "no_exponential",
            "You divided the scores by their sum. Scores can be negative, weights cannot: take the exponential first.",
            lambda s: s / s.sum(dim=-1, keepdim=True),
        ),
    ),
)
