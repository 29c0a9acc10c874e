"""Answers to scaling.spread: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import numpy
import torch


def simulated(d_k, sigma_q, sigma_k):
    """Draws a thousand pairs."""
    torch.manual_seed(0)
    return ((sigma_q * torch.randn(1000, d_k)) * (sigma_k * torch.randn(1000, d_k))).sum(-1).std().item()


WRONG = [
    (simulated, "Your answer is 1.93908, it should be 2."),
    # whole numbers only
    (
        lambda d_k, sigma_q, sigma_k: int(math.sqrt(d_k) * sigma_q * sigma_k),
        "Your answer is 1, it should be 1.61276.",
    ),
    # the whole-number root
    (
        lambda d_k, sigma_q, sigma_k: math.isqrt(d_k) * sigma_q * sigma_k,
        "Your answer is 1.53, it should be 1.61276.",
    ),
    # the root of the spreads too
    (lambda d_k, sigma_q, sigma_k: math.sqrt(d_k * sigma_q * sigma_k), "Your answer is 4.24264, it should be 6."),
    # one of the spreads forgotten
    (lambda d_k, sigma_q, sigma_k: math.sqrt(d_k) * sigma_q, "Your answer is 4, it should be 12."),
    # d_k − 1 degrees of freedom
    (
        lambda d_k, sigma_q, sigma_k: math.sqrt(d_k - 1) * sigma_q * sigma_k,
        "Your answer is 1.73205, it should be 2.",
    ),
    # the scale, not the spread
    (lambda d_k, sigma_q, sigma_k: 1 / math.sqrt(d_k), "Your answer is 0.5, it should be 2."),
    # as text
    (
        lambda d_k, sigma_q, sigma_k: f"{math.sqrt(d_k) * sigma_q * sigma_k:.2f}",
        "Your function should return a number, it returned a string.",
    ),
    # as a tensor with an axis
    (
        lambda d_k, sigma_q, sigma_k: torch.tensor([math.sqrt(d_k) * sigma_q * sigma_k]),
        "Your function should return a number, it returned a tensor of",
    ),
    # two decimals
    (
        lambda d_k, sigma_q, sigma_k: round(math.sqrt(d_k) * sigma_q * sigma_k, 2),
        "Your answer is 1.61, it should be 1.61276.",
    ),
]

RIGHT = [
    lambda d_k, sigma_q, sigma_k: torch.tensor(float(d_k)).sqrt() * sigma_q * sigma_k,
    lambda d_k, sigma_q, sigma_k: torch.tensor(d_k * sigma_q**2 * sigma_k**2, dtype=torch.float64).sqrt(),
    lambda d_k, sigma_q, sigma_k: numpy.sqrt(d_k) * sigma_q * sigma_k,
    lambda d_k, sigma_q=1.0, sigma_k=1.0: math.hypot(*[sigma_q * sigma_k] * d_k),
]
