"""Answers to vitals.noop: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def given(weights):
    n = weights.shape[-1]
    return weights.sum(-2) / torch.arange(n, 0, -1)


def middle(lengths):
    """The median of the others, key by key."""
    n = lengths.shape[-1]
    others = torch.stack([torch.cat([lengths[..., :j], lengths[..., j + 1 :]], -1) for j in range(n)], -2)
    return others.quantile(0.5, dim=-1)


def right(weights, values, share, quiet):
    lengths = values.norm(dim=-1)
    return (given(weights) > share) & (lengths < quiet * middle(lengths))


def with_nan(weights, values, share, quiet):
    """Right: one's own length is NaN, and nanmedian passes it over."""
    n = weights.shape[-1]
    lengths = torch.linalg.vector_norm(values, dim=-1)
    table = lengths[..., None, :].expand(*lengths.shape, n).masked_fill(torch.eye(n, dtype=torch.bool), torch.nan)
    seen = torch.ones(n, n).tril().sum(0)
    return torch.logical_and(weights.sum(-2) / seen > share, lengths / table.nanmedian(dim=-1).values < quiet)


def key_by_key(weights, values, share, quiet):
    """Right: column by column, over the queries from j on."""
    columns = []
    for j in range(weights.shape[-1]):
        others = [i for i in range(weights.shape[-1]) if i != j]
        small = values[..., j, :].norm(dim=-1) < quiet * values[..., others, :].norm(dim=-1).quantile(0.5, dim=-1)
        columns.append((weights[..., j:, j].mean(-1) > share) & small)
    return torch.stack(columns, dim=-1)


WRONG = [
    # the first key, whatever it does
    (lambda w, v, share, quiet: torch.arange(w.shape[-1]).expand(w.shape[:-1]) == 0, "cells differ"),
    # numbers instead of True and False
    (lambda w, v, share, quiet: right(w, v, share, quiet).double(), "Your output should hold True and False"),
    # which key
    (lambda w, v, share, quiet: right(w, v, share, quiet).nonzero(), "it should have (4,)"),
    # one answer for all
    (lambda w, v, share, quiet: right(w, v, share, quiet).any(-1), "Your output has shape (), it should have (4,)"),
    # the product of the two against the product of the two
    (lambda w, v, share, quiet: given(w) * v.norm(dim=-1) < share * quiet, "cells differ"),
    # the shares of the two exchanged
    (lambda w, v, share, quiet: (given(w) > 0.9) & (v.norm(dim=-1) < quiet * middle(v.norm(dim=-1))), "cells differ"),
    # the greatest of the others
    (
        lambda w, v, share, quiet: (
            (given(w) > share) & (v.norm(dim=-1) < quiet * v.norm(dim=-1).amax(-1, keepdim=True))
        ),
        "cells differ",
    ),
    # the greatest feature for a length, with its sign
    (
        lambda w, v, share, quiet: (given(w) > share) & (v.amax(-1) < quiet * middle(v.amax(-1))),
        "cells differ",
    ),
    # features counted, not measured
    (lambda w, v, share, quiet: (given(w) > share) & (v.mean(-1) < quiet), "cells differ"),
    # never
    (lambda w, v, share, quiet: torch.zeros(w.shape[:-1], dtype=torch.bool), "cells differ"),
    # two axes only
    (
        lambda w, v, share, quiet: (
            (w.sum(0) / torch.arange(len(w), 0, -1) > share) & (v.norm(dim=1) < quiet * middle(v.norm(dim=1)))
        ),
        "with fewer leading axes",
    ),
    (lambda w, v, share, quiet: None, "Your function returns None."),
]

RIGHT = [right, with_nan, key_by_key]
