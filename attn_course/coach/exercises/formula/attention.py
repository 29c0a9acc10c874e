"""Attention."""

import math

import torch
from torch import Tensor

from attn_course.coach.exercises.formula.scores import ROOT, qk, slow_scores
from attn_course.coach.exercises.formula.softmax import slow_softmax
from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """For each query: the scores, the weights, and the weighted sum, value by value."""
    weights = slow_softmax(slow_scores(q, k))
    outputs = [sum(weights[..., i, j, None] * v[..., j, :] for j in range(k.shape[-2])) for i in range(q.shape[-2])]
    return torch.stack(outputs, dim=-2)


def _within_the_values(output: Tensor, q: Tensor, k: Tensor, v: Tensor) -> str | None:
    low, high = v.amin(-2, keepdim=True), v.amax(-2, keepdim=True)
    if ((output >= low - 1e-6) & (output <= high + 1e-6)).all():
        return None
    return "An average cannot lie outside what it averages, but your output leaves the range of the values."


def _qkv(n_query: int, n_key: int, d_k: int, d_v: int, lead: tuple[int, ...] = (), seed: int = 0) -> tuple[Tensor, ...]:
    return (*qk(n_query, n_key, d_k, lead, seed), random(*lead, n_key, d_v, seed=seed + 50))


def _weights(q: Tensor, k: Tensor, scale: float | None = None) -> Tensor:
    return (q @ k.transpose(-2, -1) * (scale or 1 / math.sqrt(q.shape[-1]))).softmax(-1)


def _overflowing(scores: Tensor) -> Tensor:
    return scores.exp() / scores.exp().sum(-1, keepdim=True)


TASK = Task(
    id="formula.attention",
    reference=slow_attention,
    cases=(
        Case("1 query, 2 keys", _qkv(1, 2, 2, 2), ROOT),
        Case("2 queries, 3 keys, values of length 4", _qkv(2, 3, 2, 4, seed=2), ROOT),
        Case("3 queries, 3 keys, everything of length 3", _qkv(3, 3, 3, 3, seed=4), ROOT),
        Case("3 queries, 5 keys, scores in the thousands", tuple(40 * x for x in _qkv(3, 5, 64, 4, seed=6)), 1e-4),
        Case("2 sentences, 3 queries, 4 keys", _qkv(3, 4, 6, 5, (2,), seed=12), ROOT),
        Case("2 sentences, 3 heads, 4 queries, 6 keys", _qkv(4, 6, 8, 5, (2, 3), seed=8), ROOT),
        Case("2 sentences, 2 heads, 2 tokens, d_k = 2", _qkv(2, 2, 2, 2, (2, 2), seed=10), ROOT),
    ),
    axes=("query", "d_v"),
    refused=FUSED,
    properties=(_within_the_values,),
    mistakes=(
        Mistake(
            "no_scale",
            "The √d_k is missing: these scores are too large, and the largest weight takes too much.",
            lambda q, k, v: _weights(q, k, 1.0) @ v,
        ),
        Mistake(
            "divided_by_d",
            "You divided by d_k, not by its square root, so every query spreads its attention too evenly.",
            lambda q, k, v: _weights(q, k, 1 / q.shape[-1]) @ v,
        ),
        Mistake(
            "over_queries",
            "The softmax ran over the queries (axis −2), so columns sum to one. Each query spends one unit of "
            "attention: normalise over the keys.",
            lambda q, k, v: (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-2) @ v,
        ),
        Mistake(
            "no_softmax",
            "You used the scores as weights. They can be negative and do not sum to one: the softmax goes between.",
            lambda q, k, v: q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]) @ v,
        ),
        Mistake(
            "returns_weights",
            "These are the weights. One step is left: use them to average the values, `weights @ v`.",
            lambda q, k, v: _weights(q, k),
        ),
        Mistake(
            "averages_keys",
            "You averaged the keys. Keys decide *how much* is taken from each token, values are *what* is taken.",
            lambda q, k, v: _weights(q, k) @ k,
        ),
        Mistake(
            "overflows",
            "Right for small scores, but exp(1000) is infinite, and infinity divided by infinity is NaN. Subtract each "
            "row's largest score first, as in your softmax of exercise 2.",
            lambda q, k, v: _overflowing(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])) @ v,
        ),
        Mistake(
            "all_axes_turned",
            "`.T` (or `.mT` of the wrong thing) turned more than the last two axes, which fails as soon as there are "
            "batches or heads. Use `k.transpose(-2, -1)`.",
            lambda q, k, v: (q @ k.permute(*reversed(range(k.dim()))) / math.sqrt(q.shape[-1])).softmax(-1) @ v,
        ),
    ),
)
