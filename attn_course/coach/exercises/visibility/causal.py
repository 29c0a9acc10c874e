"""The causal matrix."""

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_causal(n_query: int, n_key: int) -> Tensor:
    """Query number a stands at position n_key − n_query + a, and sees the keys up to there."""
    return torch.tensor([[j <= n_key - n_query + a for j in range(n_key)] for a in range(n_query)])


def ones(n_query: int, n_key: int) -> Tensor:
    return torch.ones(n_query, n_key, dtype=torch.bool)


def _own_position_seen(output: Tensor, n_query: int, n_key: int, *_) -> str | None:
    own = [a for a in range(n_query) if not output[a, n_key - n_query + a]]
    return f"Query {own[0]} cannot see its own position, key {n_key - n_query + own[0]}." if own else None


TASK = Task(
    id="visibility.causal",
    reference=slow_causal,
    cases=(
        Case("2 queries, 2 keys", (2, 2)),
        Case("3 queries, 3 keys", (3, 3)),
        Case("1 query, 4 keys (decoding one token)", (1, 4)),
        Case("2 queries, 5 keys (the queries are the last two)", (2, 5)),
    ),
    axes=("query", "key"),
    gradients=False,
    properties=(_own_position_seen,),
    mistakes=(
        Mistake(
            "blind_to_itself",
            "A token cannot see itself here: j < i instead of j ≤ i. The first token sees nothing at all, which is how "
            "NaN gets in.",
            lambda n_query, n_key: ones(n_query, n_key).tril(n_key - n_query - 1),
        ),
        Mistake(
            "sees_the_future",
            "This is turned round: each token sees itself and what comes *after*. True means may look.",
            lambda n_query, n_key: ones(n_query, n_key).triu(n_key - n_query),
        ),
        Mistake(
            "inverted",
            "True and False are exchanged. Some libraries mark what is hidden; here True means may look.",
            lambda n_query, n_key: ~ones(n_query, n_key).tril(n_key - n_query),
        ),
        Mistake(
            "aligned_at_the_start",
            "Right for a square, but with fewer queries than keys you let query 0 stand at position 0. While decoding, "
            "the queries are the *last* positions: it should see all the keys before it.",
            lambda n_query, n_key: ones(n_query, n_key).tril(),
        ),
        Mistake(
            "everything",
            "Every cell is True, so every token sees the future.",
            lambda n_query, n_key: ones(n_query, n_key),
        ),
    ),
)
