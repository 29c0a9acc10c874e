"""A token's features, divided among heads."""

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_split(x: Tensor, heads: int) -> Tensor:
    """Head h of token t gets features h·d … (h + 1)·d − 1 of token t, one after the other."""
    batch, tokens, features = x.shape
    d = features // heads
    rows = [
        torch.stack([torch.stack([x[b, t, h * d : (h + 1) * d] for t in range(tokens)]) for h in range(heads)])
        for b in range(batch)
    ]
    return torch.stack(rows)


def viewed(x: Tensor, heads: int) -> Tensor:
    batch, tokens, features = x.shape
    return x.reshape(batch, heads, tokens, features // heads)


def _numbered(*shape: int) -> Tensor:
    """Numbers that say where they come from: token in the tens, feature in the ones."""
    _, tokens, features = shape
    return (10.0 * torch.arange(tokens)[:, None] + torch.arange(features)).expand(shape).double()


def _tokens_stay_apart(out: Tensor, x: Tensor, heads: int) -> str | None:
    kept = [set(x[0, t].tolist()) for t in range(x.shape[1])]
    for h in range(heads):
        for t in range(x.shape[1]):
            if not set(out[0, h, t].tolist()) <= kept[t]:
                return f"Head {h} holds numbers at token {t} that are not token {t}'s."
    return None


TASK = Task(
    id="heads.split",
    reference=slow_split,
    cases=(
        Case("1 sentence of 2 tokens, 4 features, 2 heads", (_numbered(1, 2, 4), 2)),
        Case("3 tokens, 4 features, 4 heads", (_numbered(1, 3, 4), 4)),
        Case("1 head", (random(1, 3, 4, seed=1), 1)),
        Case("2 sentences of 5 tokens, 12 features, 3 heads", (random(2, 5, 12, seed=2), 3)),
    ),
    axes=("head", "token", "d_head"),
    properties=(_tokens_stay_apart,),
    mistakes=(
        Mistake(
            "viewed",
            "The shape is right and the contents are not: `view` or `reshape` straight to (batch, head, token, d_head) "
            "deals the numbers out in the order in which they lie in memory, so head 0 gets the first *tokens*, whole, "
            "and not the first features of every token. Split the last axis first, then exchange head and token.",
            viewed,
        ),
        Mistake(
            "not_exchanged",
            "The features are split, but the axes stand as (batch, token, head, d_head). Exchange head and token, so "
            "that each head has the whole text before it.",
            lambda x, heads: x.unflatten(-1, (heads, -1)),
        ),
        Mistake(
            "interleaved",
            "Each head got every n-th feature. The convention, here and in published weights, is that each head gets "
            "*consecutive* features: split the last axis into (heads, d_head), in that order.",
            lambda x, heads: x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2),
        ),
        Mistake(
            "everything_for_all",
            "Every head got all the features. They are to be shared: d_head = features / heads.",
            lambda x, heads: x[:, None].expand(-1, heads, -1, -1).clone(),
        ),
        Mistake(
            "tokens_last",
            "Each head has its features, but the last two axes are (d_head, token). Rows should be tokens.",
            lambda x, heads: x.unflatten(-1, (heads, -1)).permute(0, 2, 3, 1),
        ),
        Mistake(
            "heads_before_the_batch",
            "The heads stand before the batch. The order in this course is (batch, head, token, d_head).",
            lambda x, heads: x.unflatten(-1, (heads, -1)).permute(2, 0, 1, 3),
        ),
    ),
)
