"""Answers to scaling.half: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch

WRONG = [
    # only one widened
    (
        lambda q, k: q.float() @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]),
        "expected m1 and m2 to have the same dtype, but got: float !=",
    ),
    # infinity painted over
    (
        lambda q, k: (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).nan_to_num(posinf=5985.0),
        "it should be -1.14e+04, yours is -6.55e+04",
    ),
    # d_k of the first case
    (lambda q, k: (q / math.sqrt(128)) @ k.transpose(-2, -1), "it should be 2.049, yours is 0.5122"),
    # in whole numbers
    (
        lambda q, k: (q.long() @ k.long().transpose(-2, -1)) / math.sqrt(q.shape[-1]),
        "it should be 1.915, yours is 0.7071",
    ),
    # so small that it underflows
    (
        lambda q, k: ((q * 1e-6) @ (k * 1e-6).transpose(-2, -1)).float() * 1e12 / math.sqrt(q.shape[-1]),
        "it should be 5985, yours is 5268",
    ),
    # .T turns everything
    (lambda q, k: q.float() @ k.float().T / math.sqrt(q.shape[-1]), "right with fewer leading axes"),
    # divides by d_k
    (
        lambda q, k: q.float() @ k.float().transpose(-2, -1) / q.shape[-1],
        "You divided both q and k by √d_k, which divides the score by",
    ),
    # widened after the product
    (
        lambda q, k: (q @ k.transpose(-2, -1)).float() / math.sqrt(q.shape[-1]),
        "The product overflows before you divide: 23 · 23 · 128 =",
    ),
    # clipped inputs
    (
        lambda q, k: q.clamp(-20, 20).float() @ k.float().clamp(-20, 20).transpose(-2, -1) / math.sqrt(q.shape[-1]),
        "it should be 5985, yours is 4525",
    ),
]

RIGHT = [
    lambda q, k: (q / q.shape[-1] ** 0.25) @ (k / k.shape[-1] ** 0.25).mT,
    lambda q, k: (q / math.sqrt(q.shape[-1])) @ k.mT,
    lambda q, k: torch.einsum("...id,...jd->...ij", q.double(), k.double()) / q.size(-1) ** 0.5,
]
