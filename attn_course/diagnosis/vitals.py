"""Every vital of an attention map, one plain function each: the definition, as one would write it on a board.

They want the whole map, `weights[batch, head, query, key]`, and are meant for reading, for short texts, and for tests:
`streaming_vitals` and `asking` give the same numbers without it. Rows sum to one; a query that sees no key is a row of
zeros, and has 0 in every measure. Queries end with the keys: with 2 queries and 5 keys they stand at 3 and 4.
A learned sink, if there is one, belongs to the map as one more column for entropy, energy and participation.

Vitals of hidden states and of heads' outputs are in `states`, bounds in `bounds`; all can be had from here.
Where "healthy" says M, it is what the course's MiniLM showed on short sentences: one model's habit, not a law.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attn_course.attention import Visibility
from attn_course.attention.formula import positions
from attn_course.attention.shapes import shaped
from attn_course.diagnosis.bounds import dilution_bound, entropy_bound, extremal_scores, sink_floor
from attn_course.diagnosis.close import EPSILON, SHARE
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
PerHead = Float[Tensor, "batch head"]

ROUNDING = 1e-6  # a share is held when it is held up to this: rounding must not ask for one key more
FLOAT16_MAX = 65504.0
SINK = 0.3  # Gu et al.'s ε: a first key with more than this is a sink


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
    members = torch.as_tensor(members, device=weights.device)
    if members.dtype != torch.bool:
        beyond = members[(members < 0) | (members >= weights.shape[-1])]
        if beyond.numel():
            raise ValueError(
                f"The set names key {int(beyond[0])}, but keys go from 0 to {weights.shape[-1] - 1}. "
                "Count from the first token."
            )
        members = torch.zeros(weights.shape[-1], dtype=torch.bool, device=weights.device).index_fill(
            0, members.long().flatten(), True
        )
    if members.shape[-1] != weights.shape[-1]:
        raise ValueError(f"The set marks {members.shape[-1]} tokens, but there are {weights.shape[-1]} keys.")
    marked = members if members.dim() == 1 else members[:, None, None, :]
    return (weights * marked).sum(-1)


@shaped
def sparsity(weights: Map, visible: Visibility | Tensor | None = None, epsilon: float | int = EPSILON) -> PerQuery:
    """Share of a row's visible weights that lie below ε: 0 to 1. It grows with n at any sharpness: print n and ε."""
    n = visible_keys(weights, visible)
    return ((weights < epsilon) & _dense(weights, visible)).sum(-1) / n.clamp(min=1)


@shaped
def keys_needed(weights: Map, share: float | int = SHARE) -> PerQuery:
    """The fewest keys that hold `share` of a row's mass. 1 to n keys."""
    held = weights.sort(-1, descending=True).values.cumsum(-1)
    return _first_to_hold(held, weights.sum(-1), share)


@shaped
def coverage(weights: Map, visible: Visibility | Tensor | None = None, share: float | int = SHARE) -> PerQuery:
    """`keys_needed` as a share of the keys that the query may look at: 0 to 1."""
    return keys_needed(weights, share) / visible_keys(weights, visible).clamp(min=1)


@shaped
def window(weights: Map, share: float | int = SHARE) -> PerQuery:
    """Effective window: the smallest w such that the keys with |i − j| < w hold `share` of a row. 1 to n tokens."""
    far = _distance(weights).expand(weights.shape)
    at_distance = weights.new_zeros(*weights.shape[:-1], max(weights.shape[-2:])).scatter_add(-1, far, weights)
    return _first_to_hold(at_distance.cumsum(-1), weights.sum(-1), share)


# ---- what a key receives ----


@shaped
def received(weights: Map) -> Float[Tensor, "batch head key"]:
    """Σ_i A_ij: what key j takes from all queries. In rows' worth: they sum to the number of queries that see."""
    return weights.sum(-2)


@shaped
def columns_needed(
    received: Float[Tensor, "batch head key"], share: float | int = SHARE
) -> Float[Tensor, "batch head"]:
    """The fewest columns of the map that carry `share` of all mass, from what the keys `received`. 1 to n columns.

    Known: the top 4 K of 128 K columns carry 96.8 %, the same columns for another prompt 83.7 % (Jiang et al. 2024,
    MInference, 2407.02490).
    """
    held = received.sort(-1, descending=True).values.cumsum(-1)
    return _first_to_hold(held, received.sum(-1), share)


@shaped
def sink_mass(weights: Map, key: int = 0) -> PerHead:
    """α_k: the mean over the queries t ≥ k of A_tk. The share of attention that key k takes from those that follow.

    Compare with `sink_floor`, what causal attention gives the first key if it chooses nothing. M: [CLS] .23 to .59 a
    layer at 12 tokens. Source: Gu et al. 2024 (2410.10781); keys are numbered from 0 here, from 1 there.
    """
    i, _ = positions(*weights.shape[-2:], weights.device)
    later = i.flatten() >= key
    if not (0 <= key < weights.shape[-1] and later.any()):
        raise ValueError(f"key is the number of a key that queries look back at, 0 to {int(i[-1])}; got {key}.")
    return weights[..., later, key].mean(-1)


def sink_rate(layers: list[Map], epsilon: float = SINK) -> float:
    """Share of (layer, head, sequence) in which the first key takes α > ε of the attention. 0 to 1.

    A sink rate means nothing without its length and its ε: Gu et al. take T = 64 tokens and ε = .3. So measured, GPT-2
    XL has .770, LLaMA2-7B .925, Mistral-7B .975, LLaMA3-8B .990. Maps of several lengths are refused.
    """
    lengths = {weights.shape[-1] for weights in layers}
    if len(lengths) != 1:
        raise ValueError(f"A sink rate is that of one length of text, got maps of {sorted(lengths)} keys.")
    return torch.cat([sink_mass(weights).flatten() for weights in layers]).gt(epsilon).double().mean().item()


# ---- scores ----


@shaped
def max_logit(scores: Map) -> PerHead:
    """The greatest score of a head, scaled and masked as it goes into the softmax.

    Healthy: tens. Every run above 10⁴ diverged in Wortsman et al. 2023 (2309.14322).
    """
    return scores.amax((-2, -1))


@shaped
def largest_product(
    q: Float[Tensor, "batch head query d_k"], k: Float[Tensor, "batch head key d_k"]
) -> Float[Tensor, "batch head"]:
    """max |q·k| before any scale, in at least float32: what half precision would have to hold."""
    wide = torch.promote_types(q.dtype, torch.float32)
    return (q.to(wide) @ k.to(wide).mT).abs().amax((-2, -1))


@shaped
def overflow(
    q: Float[Tensor, "batch head query d_k"], k: Float[Tensor, "batch head key d_k"]
) -> Bool[Tensor, "batch head"]:
    """Does a raw product pass 65504, the greatest number of float16? Then it is ∞ there, and the row NaN.

    The scale comes too late if it comes after. Healthy: never.
    """
    return largest_product(q, k) > FLOAT16_MAX


# ---- two heads ----


@shaped
def divergence(weights: Map) -> Float[Tensor, "batch query head head"]:
    """Jensen–Shannon divergence of each two heads' rows, in bits: H(½(P+Q)) − ½(H(P) + H(Q)). 0 alike, 1 disjoint.

    Heads that all rest on one sink are alike in that, whatever else they do. Source: Lin 1991; between heads, Clark et
    al. 2019.
    """
    rows = weights.transpose(1, 2)  # (batch, query, head, key)
    p, q = rows[..., :, None, :], rows[..., None, :, :]
    return (_bits((p + q) / 2) - (_bits(p) + _bits(q)) / 2).clamp(min=0)


def _bits(p: Tensor) -> Tensor:
    return -torch.special.xlogy(p, p).sum(-1) / torch.log(torch.tensor(2.0, dtype=p.dtype))


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


def _first_to_hold(held: Tensor, mass: Tensor, share: float) -> Tensor:
    """How many terms of a growing sum it takes until `share` of the mass is held; 0 where there is none."""
    if not 0 < share <= 1:
        raise ValueError(f"share is a part of the mass, above 0 and up to 1; got {share}.")
    enough = share * mass * (1 - ROUNDING)
    return ((held < enough[..., None]).sum(-1) + 1).where(mass > 0, 0).to(held.dtype)
