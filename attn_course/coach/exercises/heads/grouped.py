"""Fewer heads for keys and values than for queries."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_grouped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Query head h looks at key-value head h // group, where group = heads / kv_heads."""
    group = q.shape[1] // k.shape[1]
    outputs = []
    for h in range(q.shape[1]):
        scores = torch.einsum("bid,bjd->bij", q[:, h], k[:, h // group]) / math.sqrt(q.shape[-1])
        powers = (scores - scores.amax(-1, keepdim=True)).exp()
        weights = powers / powers.sum(-1, keepdim=True)
        outputs.append(torch.einsum("bij,bjd->bid", weights, v[:, h // group]))
    return torch.stack(outputs, dim=1)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1) @ v


def _group(q: Tensor, k: Tensor) -> int:
    return q.shape[1] // k.shape[1]


def _case(name: str, heads: int, kv_heads: int, batch: int = 1, query: int = 1, key: int = 2, d: int = 2) -> Case:
    seed = 10 * heads + kv_heads
    q = random(batch, heads, query, d, seed=seed)
    return Case(
        name, (q, random(batch, kv_heads, key, d, seed=seed + 1), random(batch, kv_heads, key, d, seed=seed + 2))
    )


TASK = Task(
    id="heads.grouped",
    reference=slow_grouped,
    cases=(
        _case("2 query heads, 1 key-value head (multi-query)", 2, 1),
        _case("4 query heads, 2 key-value heads", 4, 2),
        _case("3 query heads, 3 key-value heads (nothing to share)", 3, 3),
        _case("6 query heads, 2 key-value heads, 2 sentences, 3 queries, 5 keys", 6, 2, 2, 3, 5, 4),
    ),
    axes=("head", "query", "d_head"),
    refused=FUSED,
    mistakes=(
        Mistake(
            "dealt_in_turn",
            "The key-value heads are dealt out in turn (0, 1, 0, 1), as `repeat` and `tile` do. Groups are "
            "*consecutive*: heads 0 and 1 share the first, 2 and 3 the second (0, 0, 1, 1). Trained weights in the "
            "other order still run, and give nonsense.",
            lambda q, k, v: _attend(q, *(x.repeat(1, _group(q, k), 1, 1) for x in (k, v))),
        ),
        Mistake(
            "all_at_the_first",
            "Every query head looks at the first key-value head, and the others are never read.",
            lambda q, k, v: _attend(q, k[:, :1], v[:, :1]),
        ),
        Mistake(
            "averaged",
            "The key-value heads are averaged into one. That is how a multi-head model is *converted* to multi-query; "
            "here each group has a head of its own.",
            lambda q, k, v: _attend(q, k.mean(1, keepdim=True), v.mean(1, keepdim=True)),
        ),
        Mistake(
            "values_dealt_in_turn",
            "The keys are shared in groups, the values in turn: query head 1 weighs by one head's keys and reads "
            "another head's values. Both need the same order.",
            lambda q, k, v: _attend(q, k.repeat_interleave(_group(q, k), 1), v.repeat(1, _group(q, k), 1, 1)),
        ),
        Mistake(
            "one_output_a_group",
            "One output for each key-value head: the queries of a group were averaged. Only keys and values are "
            "shared; every query head keeps its own question.",
            lambda q, k, v: _attend(q.unflatten(1, (k.shape[1], -1)).mean(2), k, v),
        ),
        Mistake(
            "repeated_along_the_keys",
            "The keys of all key-value heads were laid end to end, so that every query head looks at all of them. Each "
            "query head has one key-value head.",
            lambda q, k, v: _attend(q, k.flatten(1, 2)[:, None], v.flatten(1, 2)[:, None]),
        ),
    ),
)
