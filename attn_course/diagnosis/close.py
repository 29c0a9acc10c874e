"""Vitals that need a row of weights as a whole: sparsity, coverage, window, and how alike two heads are.

They are taken on some query rows, drawn at random, and say how sure they are; or on every row, and are exact.
Definitions: `attn_course.diagnosis.vitals`.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attn_course.diagnosis.strips import Scores, Strip

EPSILON = 1e-3  # a weight below this is counted as doing nothing
SHARE = 0.96  # of a row's mass: what MInference (2407.02490) found the first 4 K of 128 K columns to carry
ROUNDING = 1e-6  # a share is held when it is held up to this: rounding must not ask for one key more


@dataclass(frozen=True)
class Estimate:
    """A mean over query rows, and its standard error: 0 where every row was taken, NaN from a single one.

    Both are NaN where no row sees a key.
    """

    mean: Tensor
    error: Tensor


@dataclass(frozen=True)
class CloseVitals:
    """Measures of one layer, each with (batch, head), taken on `rows`."""

    rows: Int[Tensor, "row"]
    sparsity: Estimate  # share of a row's visible weights that lie below EPSILON
    keys_needed: Estimate  # fewest keys that hold SHARE of a row
    coverage: Estimate  # the same as a share of the keys that the query may look at
    window: Estimate  # smallest w such that |i − j| < w holds SHARE of a row
    divergence: Estimate  # (batch, head, head): Jensen–Shannon divergence of two heads' rows, in bits, 0 alike to 1


def draw_rows(n_query: int, sample: int | None, seed: int, device=None) -> Int[Tensor, "row"]:
    """So many rows, in order, drawn without replacement; all of them if `sample` is None or not less than that."""
    if sample is None or sample >= n_query:
        return torch.arange(n_query, device=device)
    chosen = torch.randperm(n_query, generator=torch.Generator().manual_seed(seed))[:sample]
    return chosen.sort().values.to(device)


def close_vitals(scores: Scores, sample: int | None = 64, seed: int = 0) -> CloseVitals:
    """Take them on `sample` rows drawn with `seed`; None: on every row. A row that sees no key is left out."""
    rows = draw_rows(scores.n_query, sample, seed, scores.q.device)
    names = ("sparsity", "keys_needed", "coverage", "window", "divergence")
    taken: dict[str, list[list[Tensor]]] = {name: [[] for _ in range(scores.batch)] for name in names}
    for strip in scores.strips(at=rows, all_heads=True):
        for name, value in _of_strip(strip).items():
            taken[name][strip.batch].append(value)
    whole = len(rows) == scores.n_query
    found = {}
    for name, by_sequence in taken.items():
        nothing = scores.q.new_zeros(0, *(scores.heads,) * (2 if name == "divergence" else 1), dtype=scores.dtype)
        estimates = [_estimate(torch.cat((nothing, *pieces)), whole) for pieces in by_sequence]
        found[name] = Estimate(*(torch.stack(part) for part in zip(*estimates, strict=True)))
    return CloseVitals(rows, **found)


def _of_strip(strip: Strip) -> dict[str, Tensor]:
    """Each measure of each row: (row, head), or (row, head, head). NaN where a head sees nothing."""
    weights, null = strip.weights()  # (head, row, key), (head, row, 1)
    n = strip.visible_keys.expand(weights.shape[:2])  # (head, row)
    distance = (strip.i - strip.j).abs()
    enough = SHARE * weights.sum(-1, keepdim=True) * (1 - ROUNDING)
    needed = _reach(weights.sort(-1, descending=True).values, enough)
    order = distance.argsort(stable=True, dim=-1)
    at = _reach(weights.gather(-1, order.expand(weights.shape)), enough)  # so many of the nearest keys
    window = distance.gather(-1, order).expand(weights.shape).gather(-1, (at - 1).clamp(min=0)[..., None])[..., 0] + 1
    small = (weights < EPSILON) & (True if strip.visible is None else strip.visible)
    nothing = enough[..., 0] == 0  # the learned sink took it all
    of_row = {
        "sparsity": small.sum(-1) / n,
        "keys_needed": needed.masked_fill(nothing, 0),
        "coverage": needed.masked_fill(nothing, 0) / n,
        "window": window.masked_fill(nothing, 0),
    }
    found = {name: value.to(weights.dtype).masked_fill(n == 0, math.nan).T for name, value in of_row.items()}
    divergence = _divergences(torch.cat((weights, null), dim=-1) if strip.sinks is not None else weights)
    blind = (n == 0).T
    return found | {"divergence": divergence.masked_fill(blind[:, :, None] | blind[:, None, :], math.nan)}


def _reach(ordered: Float[Tensor, "head row key"], enough: Float[Tensor, "head row 1"]) -> Int[Tensor, "head row"]:
    """How many of the weights, taken in this order, hold enough."""
    return ((ordered.cumsum(-1) < enough).sum(-1) + 1).clamp(max=ordered.shape[-1])


def _divergences(weights: Float[Tensor, "head row key"]) -> Float[Tensor, "row head head"]:
    """Jensen–Shannon divergence in bits of each two heads, row by row: H(½(P + Q)) − ½(H(P) + H(Q))."""
    heads, rows, _ = weights.shape
    entropy = _entropy_bits(weights)  # (head, row)
    found = weights.new_zeros(heads, heads, rows)
    for head in range(heads - 1):
        middle = _entropy_bits((weights[head + 1 :] + weights[head]) / 2)
        found[head, head + 1 :] = (middle - (entropy[head + 1 :] + entropy[head]) / 2).clamp(min=0)
    return (found + found.transpose(0, 1)).permute(2, 0, 1)


def _entropy_bits(p: Float[Tensor, "head row key"]) -> Float[Tensor, "head row"]:
    # Below the smallest positive number p log p is 0 to the last digit, and the logarithm has something to hold.
    return -p.clamp(min=torch.finfo(p.dtype).tiny).log2_().mul_(p).sum(-1)


def _estimate(rows: Float[Tensor, "row *rest"], whole: bool) -> tuple[Tensor, Tensor]:
    """Mean and standard error of the rows that are numbers."""
    n = (~rows.isnan()).sum(0)
    mean = rows.nanmean(0)
    if whole:
        return mean, torch.zeros_like(mean).masked_fill(n == 0, math.nan)
    variance = (rows - mean).square().nansum(0) / (n - 1)  # of one row: 0/0, which nobody knows
    return mean, (variance / n).sqrt()
