"""Who is listened to."""

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_received(weights: Tensor) -> Tensor:
    """Column by column, the average over the queries."""
    n_query, n_key = weights.shape[-2:]
    columns = [sum(weights[..., i, j] for i in range(n_query)) / n_query for j in range(n_key)]
    return torch.stack(columns, dim=-1)


def _shares_sum_to_one(received_: Tensor, weights: Tensor) -> str | None:
    sums = received_.sum(-1)
    if torch.allclose(sums, torch.ones_like(sums), atol=1e-6):
        return None
    return f"All that is spent is received, so the shares must sum to 1; yours sum to {sums.flatten()[0]:.3g}."


TASK = Task(
    id="formula.received",
    reference=slow_received,
    cases=(
        Case("2 queries, 3 keys", (random(2, 3).softmax(-1),)),
        Case("3 queries, 3 keys", ((2 * random(3, 3, seed=1)).softmax(-1),)),
        Case("2 sentences, 3 queries, 4 keys", (random(2, 3, 4, seed=3).softmax(-1),)),
        Case("2 sentences, 3 heads, 4 queries, 5 keys", ((2 * random(2, 3, 4, 5, seed=2)).softmax(-1),)),
    ),
    axes=("key",),
    refused=FUSED,
    properties=(_shares_sum_to_one,),
    mistakes=(
        Mistake(
            "over_keys",
            "You averaged along the keys. Each row sums to one, so that average is the same for every query and says "
            "nothing. Go down the columns: average over the queries.",
            lambda w: w.mean(dim=-1),
        ),
        Mistake(
            "sum_not_mean",
            "This is the total, which grows with the number of queries. Divide by how many there are.",
            lambda w: w.sum(dim=-2),
        ),
        Mistake(
            "largest",
            "This is the largest weight that each key gets from anyone. One keen listener is not the same as being "
            "listened to: take the average.",
            lambda w: w.amax(dim=-2),
        ),
        Mistake(
            "everything_averaged",
            "You averaged over sentences and heads as well. Only the query axis goes; the leading axes stay.",
            lambda w: w.reshape(-1, *w.shape[-2:]).mean(dim=(0, 1)),
        ),
        Mistake(
            "first_axis",
            "You averaged over the first axis, which is the query axis only as long as there are no batches and heads. "
            "Count from the end: `dim=-2`.",
            lambda w: w.mean(dim=0),
        ),
    ),
)
