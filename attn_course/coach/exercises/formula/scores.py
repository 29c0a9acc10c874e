"""Scores."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_scores(q: Tensor, k: Tensor) -> Tensor:
    """One dot product at a time."""
    d_k = q.shape[-1]
    rows = [[(q[..., i, :] * k[..., j, :]).sum(-1) for j in range(k.shape[-2])] for i in range(q.shape[-2])]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2) / math.sqrt(d_k)


def qk(n_query: int, n_key: int, d_k: int, lead: tuple[int, ...] = (), seed: int = 0) -> tuple[Tensor, Tensor]:
    return random(*lead, n_query, d_k, seed=seed), random(*lead, n_key, d_k, seed=seed + 1)


ROOT = 1e-6  # √d_k as torch.sqrt(torch.tensor(d_k)) has seven digits: that is no mistake

QK_CASES = (
    Case("1 query, 2 keys, d_k = 2", qk(1, 2, 2), ROOT),
    Case("2 queries, 3 keys, d_k = 3", qk(2, 3, 3, seed=2), ROOT),
    Case("3 queries, 3 keys, d_k = 5", qk(3, 3, 5, seed=4), ROOT),
    Case("2 sentences, 3 queries, 4 keys, d_k = 6", qk(3, 4, 6, (2,), seed=8), ROOT),
    Case("2 sentences, 3 heads, 4 queries, 6 keys, d_k = 8", qk(4, 6, 8, (2, 3), seed=6), ROOT),
)

TASK = Task(
    id="formula.scores",
    reference=slow_scores,
    cases=QK_CASES,
    axes=("query", "key"),
    refused=FUSED,
    mistakes=(
        Mistake(
            "no_scale",
            "These are the dot products, but not yet divided by √d_k. Lesson 02 shows what happens without it.",
            lambda q, k: q @ k.transpose(-2, -1),
        ),
        Mistake(
            "divided_by_d",
            "You divided by d_k, not by its square root. The dot product of two random vectors grows like √d_k, "
            "so d_k is too much.",
            lambda q, k: q @ k.transpose(-2, -1) / q.shape[-1],
        ),
        Mistake(
            "multiplied_by_root",
            "You multiplied by √d_k; divide by it.",
            lambda q, k: q @ k.transpose(-2, -1) * math.sqrt(q.shape[-1]),
        ),
        Mistake(
            "keys_ask",
            "Rows and columns have changed places: here the keys ask and the queries answer. Row i should belong to "
            "query i, so q comes first in the product.",
            lambda q, k: k @ q.transpose(-2, -1) / math.sqrt(q.shape[-1]),
        ),
        Mistake(
            "root_of_keys",
            "You divided by the square root of the number of keys. It is the length of each vector, d_k = q.shape[-1], "
            "that makes dot products large.",
            lambda q, k: q @ k.transpose(-2, -1) / math.sqrt(k.shape[-2]),
        ),
        Mistake(
            "cosine",
            "You normalised the vectors, so these are cosines. Attention uses plain dot products: a long key is heard "
            "further than a short one.",
            lambda q, k: (q / q.norm(dim=-1, keepdim=True)) @ (k / k.norm(dim=-1, keepdim=True)).transpose(-2, -1),
        ),
    ),
)
