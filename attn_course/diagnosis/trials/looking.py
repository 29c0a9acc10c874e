"""Where heads look, from whole maps: what a trial needs besides the loss."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attn_course.diagnosis.thresholds import DILUTED
from attn_course.diagnosis.trials.asked import Asked
from attn_course.diagnosis.trials.tried import Look

LOG2 = torch.tensor(2.0).log()


def looks_of(looked: list, asked: Asked) -> tuple[Look, ...]:
    """One a head: means over the queries that need something."""
    needs = asked.needed.any(-1)  # (batch, query)
    if not needs.any():
        return ()
    found = []
    for layer, each in enumerate(looked):
        a = each.weights.double()  # (batch, head, query, key)
        entropy = normalised_entropy(a)
        needed = (a * asked.needed[:, None]).sum(-1)
        irrelevant = None if asked.irrelevant is None else (a * asked.irrelevant[:, None, None, :]).sum(-1)
        for head in range(a.shape[1]):
            key = int(a[:, head].mean((0, 1)).argmax())
            rests = a[:, head, :, key] * ~asked.needed[:, :, key]
            found.append(
                Look(
                    layer,
                    head,
                    needed[:, head][needs].mean().item(),
                    None if irrelevant is None else irrelevant[:, head][needs].mean().item(),
                    rests[needs].mean().item(),
                    entropy[:, head][needs].mean().item(),
                )
            )
    return tuple(found)


def normalised_entropy(a: Float[Tensor, "batch head query key"]) -> Float[Tensor, "batch head query"]:
    """H / log n of rows made to sum to one, n counting the keys that get anything; 0 where that is one key."""
    p = a / a.sum(-1, keepdim=True).clamp(min=1e-12)
    n = (a > 0).sum(-1)
    return torch.special.entr(p).sum(-1) / n.clamp(min=2).double().log()


def alike(a: Float[Tensor, "batch head query key"], least: int) -> Float[Tensor, "head head"]:
    """Jensen–Shannon divergence (bits) of any two heads' rows, mean over rows of at least so many keys."""
    p = a.double()
    p = p / p.sum(-1, keepdim=True).clamp(min=1e-12)
    rows = _rows(p, least)
    p = p.transpose(1, 2)[rows]  # (row, head, key)
    own = torch.special.entr(p).sum(-1)  # (row, head)
    mixed = (p[:, :, None] + p[:, None]) / 2
    bits = (torch.special.entr(mixed).sum(-1) - (own[:, :, None] + own[:, None]) / 2) / LOG2
    return bits.clamp(min=0).mean(0)


def spreads(a: Float[Tensor, "batch head query key"], least: int) -> Bool[Tensor, "head"]:
    """Whether a head gives all keys about the same."""
    entropy = normalised_entropy(a.double()).transpose(1, 2)
    return entropy[_rows(a, least)].mean(0) > DILUTED


def _rows(a: Tensor, least: int) -> Bool[Tensor, "batch query"]:
    """Rows with so many keys to choose from; all of them if there is none."""
    rows = (a > 0).sum(-1).amax(1) >= least
    return rows if rows.any() else torch.ones_like(rows)
