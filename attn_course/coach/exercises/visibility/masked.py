"""Attention under a mask."""

import math

import torch
from torch import Tensor

from attn_course.coach.exercises.visibility.causal import ones
from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_masked(scores: Tensor, visible: Tensor) -> Tensor:
    """Row by row, softmax over the visible keys only; a row without any stays zero."""
    n_query, n_key = visible.shape
    rows = []
    for i in range(n_query):
        keys = [j for j in range(n_key) if visible[i, j]]
        most = max_of([scores[..., i, j] for j in keys]) if keys else 0.0
        powers = {j: (scores[..., i, j] - most).exp() for j in keys}
        hidden = torch.zeros_like(scores[..., i, 0])
        rows.append(torch.stack([powers[j] / sum(powers.values()) if j in keys else hidden for j in range(n_key)], -1))
    return torch.stack(rows, dim=-2)


def max_of(values: list[Tensor]) -> Tensor:
    return torch.stack(values).amax(0)


def _hidden_get_nothing(weights: Tensor, scores: Tensor, visible: Tensor) -> str | None:
    leak = weights.masked_fill(visible, 0.0).abs().max().item()
    return f"A hidden key must have weight 0; one of yours has {leak:.3g}." if leak > 0 else None


def _rows_sum_to_one_or_zero(weights: Tensor, scores: Tensor, visible: Tensor) -> str | None:
    sums = weights.sum(-1)
    wanted = visible.any(-1).to(weights.dtype).expand_as(sums)
    if torch.allclose(sums, wanted, atol=1e-6):
        return None
    row = int((sums - wanted).abs().reshape(-1, sums.shape[-1]).amax(0).argmax())
    total = sums.reshape(-1, sums.shape[-1])[0, row].item()
    return f"Row {row} sums to {total:.3g}; it should sum to {int(visible[row].any())}."


def _filled(scores: Tensor, visible: Tensor, value: float) -> Tensor:
    return scores.masked_fill(~visible, value).softmax(-1)


_LOUD = torch.tensor([[0.0, 1.0, 1000.0], [2.0, 0.0, -1.0]], dtype=torch.float64)
_EMPTY_ROW = torch.tensor([[False, False, False], [True, False, True], [True, True, True]])

TASK = Task(
    id="visibility.masked",
    reference=slow_masked,
    cases=(
        Case("1 query, 3 keys, the last hidden", (random(1, 3), torch.tensor([[True, True, False]]))),
        Case("3 queries, 3 keys, causal", (random(3, 3, seed=1), ones(3, 3).tril())),
        Case("3 queries, 3 keys, the first query sees nothing", (random(3, 3, seed=2), _EMPTY_ROW)),
        Case("2 queries, 4 keys (the queries are the last two)", (random(2, 4, seed=4), ones(2, 4).tril(2))),
        Case("3 queries, 3 keys, causal, scores near −20,000", (random(3, 3, seed=5) - 20_000, ones(3, 3).tril())),
        Case("2 queries, 3 keys, a hidden score of 1000", (_LOUD, torch.tensor([[True, True, False]] * 2))),
        Case("2 sentences, 2 heads, 4 tokens, causal", (3 * random(2, 2, 4, 4, seed=3), ones(4, 4).tril())),
    ),
    axes=("query", "key"),
    refused=FUSED,
    properties=(_hidden_get_nothing, _rows_sum_to_one_or_zero),
    mistakes=(
        Mistake(
            "after_softmax",
            "You hid keys after the softmax. The rows no longer sum to one, and hidden scores still decided how the "
            "rest was shared: the future leaks in through the denominator. Hide before.",
            lambda scores, visible: scores.softmax(-1) * visible,
        ),
        Mistake(
            "inverted",
            "The mask is inverted: you hid what may be seen. True means may look, so fill where `~visible`.",
            lambda scores, visible: scores.masked_fill(visible, -math.inf).softmax(-1),
        ),
        Mistake(
            "nan_row",
            "Right, except for a query that sees nothing: its scores are all −∞ and softmax makes NaN of them. Such a "
            "row should be zeros.",
            lambda scores, visible: _filled(scores, visible, -math.inf),
        ),
        Mistake(
            "average_of_the_hidden",
            "Filling with a large negative number instead of −∞ works until a query sees nothing: then all its scores "
            "are equal, and it takes the plain average of what it must not see.",
            lambda scores, visible: _filled(scores, visible, -1e9),
        ),
        Mistake(
            "zeroed_scores",
            "You multiplied the scores by the mask, which sets hidden ones to 0. A score of 0 is not nothing: e⁰ = 1. "
            "Hidden means −∞.",
            lambda scores, visible: (scores * visible).softmax(-1),
        ),
        Mistake(
            "nan_hidden_in_the_gradient",
            "The weights are right, but `nan_to_num` hides the NaN from you, not from the gradient: training would "
            "still break. Keep the row finite *before* the softmax.",
            lambda scores, visible: (
                (scores + torch.zeros_like(scores).masked_fill(~visible, -math.inf)).softmax(-1).nan_to_num(0.0)
            ),
        ),
        Mistake(
            "maximum_of_all",
            "You subtracted the largest score of the whole row, hidden keys included. When a hidden one is far above "
            "the rest, all that is visible underflows to 0. Hide first, then take the maximum.",
            lambda scores, visible: (
                (e := (scores - scores.amax(-1, keepdim=True)).exp() * visible)
                / e.sum(-1, keepdim=True).masked_fill(e.sum(-1, keepdim=True) == 0, 1.0)
            ),
        ),
        Mistake(
            "no_mask",
            "The mask is not used: this is the plain softmax.",
            lambda scores, visible: scores.softmax(-1),
        ),
    ),
)
