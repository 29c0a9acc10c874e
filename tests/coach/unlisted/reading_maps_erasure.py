"""Answers to reading-maps.erasure: wrong ones, each with a part of what is said, and right ones in other words."""

import torch


def right(weights, values, per=lambda gap: gap.norm(dim=-1)):
    moved = []
    for j in range(weights.shape[-1]):
        kept = weights.clone()
        kept[..., j] = 0
        total = kept.sum(-1, keepdim=True)
        moved.append(per(weights @ values - kept / total.masked_fill(total == 0, 1) @ values))
    return torch.stack(moved, dim=-1)


def closed(weights, values):
    """Right: o − o′ = A (v − o) / (1 − A), and o itself where A is 1."""
    o = weights @ values
    lone = weights > 1 - 1e-12
    far = (values[..., None, :, :] - o[..., :, None, :]).norm(dim=-1)
    moved = weights / (1 - weights).masked_fill(lone, 1) * far
    return torch.where(lone, o.norm(dim=-1, keepdim=True).expand_as(moved), moved)


def at_once(weights, values):
    """Right: all keys hidden at once, along an axis of their own."""
    n = weights.shape[-1]
    kept = weights[..., None, :] * (1 - torch.eye(n, dtype=weights.dtype))  # (…, query, hidden, key)
    total = kept.sum(-1, keepdim=True)
    without = torch.where(total > 0, kept / total, 0.0) @ values[..., None, :, :]
    return ((weights @ values)[..., None, :] - without).square().sum(-1).sqrt()


def by_scores(weights, values):
    """Right: the key masked before the softmax, with the weights' logarithms for scores."""
    n = weights.shape[-1]
    without = []
    for j in range(n):
        scores = weights.log().masked_fill(torch.arange(n) == j, -torch.inf)
        without.append(scores.softmax(-1).nan_to_num(0.0) @ values)
    return (torch.stack(without, dim=-2) - (weights @ values).unsqueeze(-2)).norm(dim=-1)


def in_place(weights, values):
    whole, moved = weights @ values, []
    for j in range(weights.shape[-1]):
        column = weights[..., j].clone()
        weights[..., j] = 0
        total = weights.sum(-1, keepdim=True)
        moved.append((whole - weights / total.masked_fill(total == 0, 1) @ values).norm(dim=-1))
        weights[..., j] = 2 * column
    return torch.stack(moved, dim=-1)


def nearly(weights, values):
    moved = []
    for j in range(weights.shape[-1]):
        kept = weights * (torch.arange(weights.shape[-1]) != j)
        moved.append((weights @ values - kept / (kept.sum(-1, keepdim=True) + 1e-6) @ values).norm(dim=-1))
    return torch.stack(moved, dim=-1)


WRONG = [
    (in_place, "Your function changes weights in place"),
    # the outputs without the key, not the distances
    (
        lambda w, v: w.unsqueeze(-1) * v.unsqueeze(-3),
        "Your output has shape (2, 2, 2), it should have (2, 2): (…, query, key)",
    ),
    # keys and queries exchanged
    (lambda w, v: right(w, v).mT, "The largest difference is at query"),
    # the greatest change of any feature
    (
        lambda w, v: right(w, v, per=lambda gap: gap.abs().amax(-1)),
        "The largest difference is at query 1, key 1: it should be 1.677, yours is 1.5.",
    ),
    # one number a key
    (lambda w, v: right(w, v).mean(-2), "Your output has shape (2,), it should have (2, 2)"),
    # made to sum to one
    (lambda w, v: right(w, v) / right(w, v).sum(-1, keepdim=True), "The largest difference is at query"),
    # the change of the weights
    (
        lambda w, v: right(w, torch.eye(w.shape[-1], dtype=w.dtype).expand(*w.shape[:-2], -1, -1)),
        "The largest difference is at query",
    ),
    # the hidden key's weight goes to all, itself included
    (
        lambda w, v: (
            (w[..., None] * (v[..., None, :, :] - v.mean(-2, keepdim=True)[..., None, :, :])).norm(dim=-1) * 1.01
        ),
        "The largest difference is at query",
    ),
    # an axis counted from the front
    (
        lambda w, v: torch.stack([right(w, v)[:, j] for j in range(w.shape[1])], dim=1) if w.dim() < 3 else w[:, 0],
        "it should have (2, 2, 5, 4): (…, query, key). It was right with fewer leading axes",
    ),
    # a small number for safety
    (nearly, "Nearly: your output is off by up to"),
    # a future key changes the distance
    (lambda w, v: right(w.clamp(min=1e-3), v), "Query 0 pays key 1 nothing, so hiding it cannot move the output"),
]

RIGHT = [right, closed, at_once, by_scores]
