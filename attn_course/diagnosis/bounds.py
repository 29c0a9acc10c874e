"""What a row can and cannot do, whatever the model: floors and ceilings to hold a vital against."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def sink_floor(n: int) -> float:
    """H_n / n = (1 + ½ + … + 1/n) / n: the `sink_mass` of the first key if causal rows of n tokens choose nothing.

    Query t spreads 1/t over t keys. 0.0741 at n = 64. Holds exactly for one token repeated, without positions, under
    any weights (Gu et al. 2024, 2410.10781).
    """
    _check_length(n)
    return math.fsum(1 / t for t in range(1, n + 1)) / n


def dilution_bound(gap: float, n: int) -> float:
    """e^Δ / (e^Δ + n − 1): the most one key can get of n, if no score stands out from another by more than Δ.

    Scores bounded, text unbounded: attention dilutes. Δ = 6 leaves .865 at n = 64 and .024 at 16 384. The remedy in
    theory are scores that grow with log n (Chiang and Cholak 2022, 2202.12172).
    """
    _check_length(n)
    return 1 / (1 + (n - 1) * math.exp(-gap))


def entropy_bound(sigma: float, n: int) -> float:
    """The least entropy, in nats, of a row of n scores whose Euclidean norm is at most σ.

    log(1 + (n−1)β) + σ√(n(n−1)) β / (1 + (n−1)β), with β = exp(−σ√(n/(n−1))): Zhai et al. 2023 (2303.06296), theorem
    3.1, who state it for spectral norms, which no row of scores can pass. It falls like σe^{−σ}: large weights permit
    collapse, they do not cause it. `extremal_scores` attain it.
    """
    _check_length(n, least=2)
    beta = math.exp(-sigma * math.sqrt(n / (n - 1)))
    others = (n - 1) * beta
    return math.log1p(others) + sigma * math.sqrt(n * (n - 1)) * beta / (1 + others)


def extremal_scores(sigma: float, n: int) -> Float[Tensor, "key"]:
    """The n scores of norm σ with the least entropy, in float64: one stands out, the others are equal, the sum is 0."""
    _check_length(n, least=2)
    scores = torch.full((n,), -sigma / math.sqrt(n * (n - 1)), dtype=torch.float64)
    scores[0] = sigma * math.sqrt((n - 1) / n)
    return scores


def _check_length(n: int, least: int = 1) -> None:
    if n < least:
        raise ValueError(f"n counts the keys of a row: {least} or more, got {n}.")
