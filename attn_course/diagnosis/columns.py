"""What keys receive: sums down the columns of a map, and the sinks that they show. Part of `vitals`."""

import torch
from jaxtyping import Float
from torch import Tensor

from attn_course.attention.formula import positions
from attn_course.attention.shapes import shaped
from attn_course.diagnosis.close import ROUNDING, SHARE
from attn_course.diagnosis.thresholds import SINK_SHARE

Map = Float[Tensor, "batch head query key"]


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
    return first_to_hold(held, received.sum(-1), share)


@shaped
def sink_mass(weights: Map, key: int = 0) -> Float[Tensor, "batch head"]:
    """α_k: the mean over the queries t ≥ k of A_tk. The share of attention that key k takes from those that follow.

    Compare with `sink_floor`, what causal attention gives the first key if it chooses nothing. M: [CLS] .23 to .59 a
    layer at 12 tokens. Source: Gu et al. 2024 (2410.10781); keys are numbered from 0 here, from 1 there.
    """
    i, _ = positions(*weights.shape[-2:], weights.device)
    later = i.flatten() >= key
    if not (0 <= key < weights.shape[-1] and later.any()):
        raise ValueError(f"key is the number of a key that queries look back at, 0 to {int(i[-1])}; got {key}.")
    return weights[..., later, key].mean(-1)


def sink_rate(layers: list[Map], epsilon: float = SINK_SHARE) -> float:
    """Share of (layer, head, sequence) in which the first key takes α > ε of the attention. 0 to 1.

    A sink rate means nothing without its length and its ε: Gu et al. take T = 64 tokens and ε = .3. So measured, GPT-2
    XL has .770, LLaMA2-7B .925, Mistral-7B .975, LLaMA3-8B .990. Maps of several lengths are refused.
    """
    lengths = {weights.shape[-1] for weights in layers}
    if len(lengths) != 1:
        raise ValueError(f"A sink rate is that of one length of text, got maps of {sorted(lengths)} keys.")
    return torch.cat([sink_mass(weights).flatten() for weights in layers]).gt(epsilon).double().mean().item()


def first_to_hold(held: Tensor, mass: Tensor, share: float) -> Tensor:
    """How many terms of a growing sum it takes until `share` of the mass is held; 0 where there is none."""
    if not 0 < share <= 1:
        raise ValueError(f"share is a part of the mass, above 0 and up to 1; got {share}.")
    enough = share * mass * (1 - ROUNDING)
    return ((held < enough[..., None]).sum(-1) + 1).where(mass > 0, 0).to(held.dtype)
