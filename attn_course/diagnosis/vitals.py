"""Every vital of an attention map, one plain function each: the definition, as one would write it on a board.

They want the whole map, `weights[batch, head, query, key]`, and are meant for reading, for short texts, and for tests:
`streaming_vitals` and `asking` give the same numbers without it. Rows sum to one; a query that sees no key is a row of
zeros, and has 0 in every measure. Queries end with the keys: with 2 queries and 5 keys they stand at 3 and 4.
A learned sink, if there is one, belongs to the map as one more column for entropy, energy and participation.

This file holds what a row of the map says, and two rows beside one another. What keys receive is in `columns`, scores
in `products`, hidden states and heads' outputs in `states`, bounds in `bounds`; all can be had from here.
Where "healthy" says M, it is what the course's MiniLM showed on short sentences: one model's habit, not a law.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attn_course.attention import Visibility
from attn_course.attention.formula import positions
from attn_course.attention.shapes import shaped
from attn_course.diagnosis.bounds import dilution_bound, entropy_bound, extremal_scores, sink_floor
from attn_course.diagnosis.close import EPSILON, SHARE
from attn_course.diagnosis.columns import columns_needed, first_to_hold, received, sink_mass, sink_rate
from attn_course.diagnosis.products import largest_product, max_logit, overflow
from attn_course.diagnosis.sets import marked
from attn_course.diagnosis.states import (
    attention_influence,
    block_influence,
    cka,
    effective_rank,
    head_importance,
    massive_activations,
    normalised_by_layer,
    rank_residual,
    stable_rank,
    token_cosine,
)

__all__ = [
    "EPSILON",
    "SHARE",
    "attention_influence",
    "block_influence",
    "cka",
    "columns_needed",
    "coverage",
    "dilution_bound",
    "divergence",
    "effective_rank",
    "energy",
    "entropy",
    "entropy_bound",
    "extremal_scores",
    "head_importance",
    "jensen_shannon",
    "keys_needed",
    "largest_product",
    "massive_activations",
    "max_logit",
    "mean_distance",
    "normalised_by_layer",
    "normalised_entropy",
    "overflow",
    "participation",
    "rank_residual",
    "received",
    "set_mass",
    "sink_floor",
    "sink_mass",
    "sink_rate",
    "sparsity",
    "stable_rank",
    "token_cosine",
    "window",
]

Map = Float[Tensor, "batch head query key"]
PerQuery = Float[Tensor, "batch head query"]


# ---- how a row spends its attention ----


@shaped
def entropy(weights: Map) -> PerQuery:
    """H_i = −Σ_j A_ij log A_ij, in nats: 0 if one key has it all, log n if n keys share alike; e^H is how many share.

    Healthy: no threshold is published. A sink head has little, and is not ill: look at it without the sink.
    Source: Shannon 1948; as a vital of training Zhai et al. 2023 (2303.06296).
    """
    return -torch.special.xlogy(weights, weights).sum(-1)


@shaped
def normalised_entropy(weights: Map, visible: Visibility | Tensor | None = None) -> PerQuery:
    """H_i / log n_i, n_i the keys that query i may look at: 0 to 1, no unit; 0 where n_i < 2.

    Healthy: M .4 to .75 a layer. Near 0 in heads that are no sinks: entropy collapse; near 1: nothing is chosen.
    """
    n = visible_keys(weights, visible)
    return torch.where(n > 1, entropy(weights) / n.clamp(min=2).log(), 0)


@shaped
def energy(weights: Map, scores: Map) -> PerQuery:
    """E_i = Σ_j A_ij s_ij: the score that a row pays attention to, on average. In units of the scores.

    With lse_i = log Σ_j exp s_ij, H_i = lse_i − E_i. Healthy: only differences within a row mean anything.
    """
    return torch.where(weights > 0, weights * scores, 0).sum(-1)  # 0 · (−∞) is 0 here: that key plays no part


@shaped
def participation(weights: Map) -> PerQuery:
    """1 / Σ_j A_ij²: how many keys share the row, with large weights counting more than in e^H. 1 to n keys.

    Source: the inverse participation ratio of physics; e^H and this are Rényi's orders 1 and 2 (Rényi 1961).
    """
    squares = weights.square().sum(-1)
    return torch.where(squares > 0, 1 / squares.where(squares > 0, 1), 0)


@shaped
def mean_distance(weights: Map) -> PerQuery:
    """Σ_j A_ij |i − j|, in tokens: how far a row looks on average. A sink far away counts with its distance."""
    return (weights * _distance(weights)).sum(-1)


@shaped
def set_mass(weights: Map, members: Tensor | list) -> PerQuery:
    """Σ of a row's weights on a set of keys: 0 to 1. On [CLS], [SEP] and the like: the special-token share.

    members   the keys' numbers, or True/False of shape (key,) or (batch, key)

    Healthy: over half of BERT's attention in layers 6–10 goes to [SEP] (Clark et al. 2019, 1906.04341), a rest, not an
    illness. On tokens declared irrelevant it is underload: .49 to .54 in a plain Transformer that looks for an answer
    (Ye et al. 2024, 2410.05258, table 3).
    """
    marks = marked("members", members, weights.shape[0], weights.shape[-1], weights.device)  # (batch, key)
    return (weights * marks[:, None, None, :]).sum(-1)


@shaped
def sparsity(weights: Map, visible: Visibility | Tensor | None = None, epsilon: float | int = EPSILON) -> PerQuery:
    """Share of a row's visible weights that lie below ε: 0 to 1. It grows with n at any sharpness: print n and ε."""
    n = visible_keys(weights, visible)
    return ((weights < epsilon) & _dense(weights, visible)).sum(-1) / n.clamp(min=1)


@shaped
def keys_needed(weights: Map, share: float | int = SHARE) -> PerQuery:
    """The fewest keys that hold `share` of a row's mass. 1 to n keys."""
    held = weights.sort(-1, descending=True).values.cumsum(-1)
    return first_to_hold(held, weights.sum(-1), share)


@shaped
def coverage(weights: Map, visible: Visibility | Tensor | None = None, share: float | int = SHARE) -> PerQuery:
    """`keys_needed` as a share of the keys that the query may look at: 0 to 1."""
    return keys_needed(weights, share) / visible_keys(weights, visible).clamp(min=1)


@shaped
def window(weights: Map, share: float | int = SHARE) -> PerQuery:
    """Effective window: the smallest w such that the keys with |i − j| < w hold `share` of a row. 1 to n tokens."""
    far = _distance(weights).expand(weights.shape)
    at_distance = weights.new_zeros(*weights.shape[:-1], max(weights.shape[-2:])).scatter_add(-1, far, weights)
    return first_to_hold(at_distance.cumsum(-1), weights.sum(-1), share)


# ---- two heads ----


@shaped
def divergence(weights: Map) -> Float[Tensor, "batch query head head"]:
    """Jensen–Shannon divergence of each two heads' rows, in bits: H(½(P+Q)) − ½(H(P) + H(Q)). 0 alike, 1 disjoint.

    Heads that all rest on one sink are alike in that, whatever else they do. Source: Lin 1991; between heads, Clark et
    al. 2019.
    """
    rows = weights.transpose(1, 2)  # (batch, query, head, key)
    p, q = rows[..., :, None, :], rows[..., None, :, :]
    return jensen_shannon(p, q)


def jensen_shannon(p: Float[Tensor, "*rest key"], q: Float[Tensor, "*rest key"]) -> Float[Tensor, "*rest"]:
    """H(½(p + q)) − ½(H(p) + H(q)) in bits, of any distributions whose shapes spread to one another. Lin 1991."""
    return (_bits((p + q) / 2) - (_bits(p) + _bits(q)) / 2).clamp(min=0)


def _bits(p: Tensor) -> Tensor:
    return -torch.special.xlogy(p, p).sum(-1) / math.log(2)


# ---- helpers ----


def visible_keys(weights: Map, visible: Visibility | Tensor | None) -> PerQuery:
    """How many keys each query may look at; without `visible`, all."""
    return _dense(weights, visible).sum(-1).to(weights.dtype)


def _dense(weights: Map, visible: Visibility | Tensor | None) -> Bool[Tensor, "batch head query key"]:
    if visible is None:
        return torch.ones_like(weights, dtype=torch.bool)
    if isinstance(visible, Visibility):
        visible = visible.dense(*weights.shape[-2:], device=weights.device)
    return visible.expand(weights.shape)


def _distance(weights: Map) -> Int[Tensor, "query key"]:
    i, j = positions(*weights.shape[-2:], weights.device)
    return (i - j).abs()
