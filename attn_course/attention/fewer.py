"""Fewer weights: small ones are dropped, and what is left of a row is scaled up until it holds the mass it held before.

with reweighing(model, lambda name, weights: above(weights, 1e-3)):
    model(tokens)               # run as if no weight below a thousandth were there

A row always keeps its largest weight, so that nobody is left with nothing.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attn_course.attention.shapes import shaped

Map = Float[Tensor, "batch head query key"]


@shaped
def above(weights: Map, epsilon: float | int | Tensor) -> Map:
    """Without the weights below ε. ε may differ from row to row: a tensor that spreads to the weights.

    Raises ValueError unless every ε is a number from 0 to 1, and has a place at the weights.
    """
    limit = torch.as_tensor(epsilon, dtype=weights.dtype, device=weights.device)
    if not (sound := (limit >= 0) & (limit <= 1)).all():
        raise ValueError(f"epsilon is a weight, from 0 to 1, got {limit[~sound][0].item():g}.")
    if not _spreads(limit.shape, weights.shape):
        raise ValueError(f"epsilon of shape {tuple(limit.shape)} does not spread to weights {tuple(weights.shape)}.")
    return kept(weights, weights >= limit)


@shaped
def top(weights: Map, k: int) -> Map:
    """Only the k largest weights of each row. Raises ValueError for k below 1."""
    if k < 1:
        raise ValueError(f"A row keeps at least one weight, got k={k}.")
    largest = weights.topk(min(k, weights.shape[-1]), dim=-1).indices
    return kept(weights, torch.zeros_like(weights, dtype=torch.bool).scatter(-1, largest, True))


def columns(weights: Map, keep: Bool[Tensor, "*batch key"]) -> Map:
    """Only these keys, the same for every query. keep: (key,), (batch, key), or (batch, head, key).

    Raises ValueError for another number of keys, batches or heads, and for anything but True and False.
    """
    batch, head, _, key = weights.shape
    wanted = {1: (key,), 2: (batch, key), 3: (batch, head, key)}.get(keep.dim(), ())
    if keep.dtype != torch.bool or not wanted or keep.shape[-1] != key or not _spreads(keep.shape, wanted):
        raise ValueError(
            f"keep says True or False of {key} keys, got shape {tuple(keep.shape)} of {keep.dtype}; with a text's own, "
            f"it is {(batch, key)}, with a head's own {(batch, head, key)}."
        )
    return kept(weights, keep[..., None, :] if keep.dim() != 2 else keep[:, None, None, :])


def _spreads(shape: torch.Size, to: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape can be expanded to that one."""
    return len(shape) <= len(to) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False))


def kept(weights: Map, keep: Bool[Tensor, "*batch query key"]) -> Map:
    """Only what is kept, and the largest of each row; every row holds the mass that it held before."""
    largest = weights.argmax(-1, keepdim=True)
    left = torch.where(keep.expand(weights.shape).scatter(-1, largest, True), weights, 0)
    mass, held = (x.sum(-1, keepdim=True) for x in (weights, left))
    return left * torch.where(held > 0, mass / held.where(held > 0, 1), 0)


@shaped
def effect(weights: Map, v: Float[Tensor, "batch head key d_v"], w_o: Float[Tensor, "d_model features"]) -> Map:
    """A_ij ‖W_O v_j‖: the size of what key j adds to query i's output, where the weight alone is A_ij.

    w_o   the output projection's matrix; head h has its columns h·d_v … (h+1)·d_v − 1

    A large weight on a small value does little. Source: Kobayashi et al. 2020 (2004.10102), without the other parts of
    the layer.
    """
    heads, d_v = v.shape[1], v.shape[-1]
    if w_o.shape[1] != heads * d_v:
        raise ValueError(
            f"w_o has {w_o.shape[1]} columns, {heads} heads of {d_v} features need {heads * d_v}: give the layer's "
            "own, layer.w_o.weight."
        )
    added = torch.einsum("bhkd,mhd->bhkm", v, w_o.unflatten(1, (heads, d_v)))  # what a key would add with weight 1
    return weights * added.norm(dim=-1)[:, :, None, :]
