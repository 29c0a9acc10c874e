"""Answers to sinks.mass: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def even(n):
    return torch.ones(n, n, dtype=torch.float64).tril() / torch.arange(1, n + 1)[:, None]


def right(weights):
    """Right: the same sum over both maps; the n − k above and below the line cancel."""
    return weights.sum(-2) / even(weights.shape[-1]).sum(-2)


def key_by_key(weights):
    """Right: column by column, from the query at k on."""
    n = weights.shape[-1]
    floor = even(n)
    return torch.stack([weights[..., k:, k].mean(-1) / floor[k:, k].mean() for k in range(n)], dim=-1)


def harmonic(weights):
    """Right: the floor as a difference of harmonic numbers, (H_n − H_k) / (n − k)."""
    n = weights.shape[-1]
    h = torch.cat([torch.zeros(1, dtype=torch.float64), (1 / torch.arange(1, n + 1, dtype=torch.float64)).cumsum(0)])
    seen_by = n - torch.arange(n)
    return torch.einsum("...tk->...k", weights) / seen_by / ((h[-1] - h[:-1]) / seen_by)


def in_place(weights):
    weights /= even(weights.shape[-1]).sum(-2)
    return weights.sum(-2)


WRONG = [
    # both numbers, side by side
    (
        lambda w: torch.stack([w.sum(-2), even(w.shape[-1]).sum(-2).expand_as(w.sum(-2))]),
        "Your output has shape (2, 1, 1, 2), it should have (1, 1, 2): (…, head, key)",
    ),
    (lambda w: (right(w), 1.0), "Your function should return a torch tensor, it returned a tuple"),
    # the first key alone
    (lambda w: right(w)[..., 0], "Your output has shape (1, 1), it should have (1, 1, 2)"),
    # averaged over the heads
    (lambda w: right(w).mean(1), "Your output has shape (1, 2), it should have (1, 1, 2)"),
    # a sink or not
    (lambda w: right(w) > 2, "Your output should hold floating-point numbers, it holds bool"),
    # weight by weight, each over the even weight: what is hidden is 0 / 0
    (lambda w: (w / even(w.shape[-1])).mean(-2), "Your output has NaN at 1 of 2 places."),
    # a floor of one over the mean number of keys seen
    (
        lambda w: w.sum(-2) / torch.arange(w.shape[-1], 0, -1) * (w.shape[-1] + 1) / 2,
        "In this map every query spreads itself evenly over what it sees, so each key gets its floor and no more",
    ),
    # times the whole number of keys, from a mean over all queries
    (
        lambda w: w.mean(-2) * w.shape[-1],
        "In this map every query spreads itself evenly over what it sees, so each key gets its floor and no more",
    ),
    # the logarithm of the ratio
    (lambda w: right(w).log(), "at key 0 you say 0."),
    # as a share of all ratios
    (lambda w: right(w) / right(w).sum(-1, keepdim=True), "at key 0 you say 0.5."),
    # the floor in single precision
    (
        lambda w: w.sum(-2) / even(w.shape[-1]).float().sum(-2).double(),
        "a detour through float32",
    ),
    # the median over the queries in place of the mean
    (
        lambda w: torch.stack(
            [w[..., k:, k].quantile(0.5, dim=-1) / even(w.shape[-1])[k:, k].mean() for k in range(w.shape[-1])], -1
        ),
        "each key gets its floor and no more, 1 everywhere; at key 0 you say 0.7299.",
    ),
    # 1/t with t from 0
    (
        lambda w: w.sum(-2) / torch.tensor([sum(1 / t for t in range(k, w.shape[-1])) for k in range(w.shape[-1])]),
        "Your function raised ZeroDivisionError",
    ),
    # an integral in place of the sum
    (
        lambda w: w.sum(-2) / ((w.shape[-1] + 0.5) / (torch.arange(w.shape[-1]) + 0.5)).log(),
        "so each key gets its floor and no more, 1 everywhere; at key",
    ),
    # over the mean of all keys
    (
        lambda w: w.sum(-2) / w.sum(-2).mean(-1, keepdim=True),
        "so each key gets its floor and no more, 1 everywhere; at key 0 you say 1.5.",
    ),
    # keys in front
    (lambda w: right(w).movedim(-1, 0), "Your output has shape (2, 1, 1), it should have (1, 1, 2): (…, head, key)"),
    (in_place, "Your function changes weights in place"),
    # a single map only
    (lambda w: right(w[0, 0]), "Your output has shape (2,), it should have (1, 1, 2)"),
]

RIGHT = [right, key_by_key, harmonic]
