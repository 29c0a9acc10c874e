"""Scores in half precision."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_half(q: Tensor, k: Tensor) -> Tensor:
    """In float64, where nothing overflows."""
    return q.double() @ k.double().transpose(-2, -1) / math.sqrt(q.shape[-1])


def _finite(output: Tensor, *_) -> str | None:
    bad = int((~torch.isfinite(output)).sum())
    return None if bad == 0 else f"{bad} of {output.numel()} scores are infinite or NaN; none of the true ones is."


def _agrees(seen: Tensor, target: Tensor) -> bool:
    """Three digits of the largest score: where terms cancel, float16 cannot give more, however one scales."""
    return bool((seen.double() - target).abs().max() <= 2e-3 * target.abs().max())


def _half(
    n_query: int, n_key: int, d_k: int, size: float, seed: int, lead: tuple[int, ...] = ()
) -> tuple[Tensor, Tensor]:
    q, k = random(*lead, n_query, d_k, seed=seed), random(*lead, n_key, d_k, seed=seed + 1)
    return (q * size).half(), (k * size).half()


_BIG = (torch.full((1, 128), 23.0).half(), torch.full((2, 128), 23.0).half())

TASK = Task(
    id="scaling.half",
    reference=slow_half,
    cases=(
        Case("1 query, 2 keys, d_k = 128, all entries 23", _BIG, 2e-3),
        Case("2 queries, 3 keys, d_k = 8, small entries", _half(2, 3, 8, 1.0, 0), 2e-3),
        Case("2 queries, 3 keys, d_k = 64, entries near 90", _half(2, 3, 64, 90.0, 2), 2e-3),
        Case("2 sentences, 3 queries, 4 keys, d_k = 64, entries near 30", _half(3, 4, 64, 30.0, 4, (2,)), 2e-3),
    ),
    axes=("query", "key"),
    gradients=False,
    refused=FUSED,
    properties=(_finite,),
    accepts=_agrees,
    mistakes=(
        Mistake(
            "scaled_too_late",
            "The product overflows before you divide: 23 · 23 · 128 = 67,712, and float16 ends at 65,504. Scale q, or "
            "widen both, *before* the product; widening the product comes too late as well.",
            lambda q, k: q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]),
        ),
        Mistake(
            "clamped",
            "Clamping turns an overflow into a wrong number: the true score, 5985, fits. Keep the product from "
            "overflowing instead.",
            lambda q, k: (q @ k.transpose(-2, -1)).clamp(-65504, 65504) / math.sqrt(q.shape[-1]),
        ),
        Mistake(
            "no_scale",
            "No overflow, but the division by √d_k is gone.",
            lambda q, k: q.float() @ k.float().transpose(-2, -1),
        ),
        Mistake(
            "bfloat16",
            "bfloat16 reaches as far as float32, so nothing overflows, but it keeps only three digits where float16 "
            "keeps four: the scores are off in the third. float32 has both, reach and digits.",
            lambda q, k: q.bfloat16() @ k.bfloat16().transpose(-2, -1) / math.sqrt(q.shape[-1]),
        ),
        Mistake(
            "scaled_twice",
            "You divided both q and k by √d_k, which divides the score by d_k. Divide one of them, or both by the "
            "fourth root.",
            lambda q, k: (q / math.sqrt(q.shape[-1])) @ (k / math.sqrt(q.shape[-1])).transpose(-2, -1),
        ),
    ),
)
