"""Answers to waste.cover: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def held(weights):
    return weights.sort(dim=-1, descending=True).values.cumsum(-1)


def right(weights, share):
    whole = weights.sum(-1)
    return ((held(weights) < share * whole[..., None]).sum(-1) + 1) * (whole > 0)


def one_by_one(weights, share):
    """Right: row by row, the largest taken out each time."""
    counts = []
    for row in weights.reshape(-1, weights.shape[-1]):
        left, got, count = row.clone(), 0.0, 0
        while got < share * row.sum():
            got = got + left.max()
            left[left.argmax()] = 0
            count += 1
        counts.append(count)
    return torch.tensor(counts).reshape(weights.shape[:-1])


def kept_before(weights, share):
    """Right: a key is needed if those before it do not hold enough."""
    ordered = weights.sort(dim=-1, descending=True).values
    before = ordered.cumsum(-1) - ordered
    return (before < share * weights.sum(-1, keepdim=True)).sum(-1)


WRONG = [
    # all but the smallest that hold the rest, one off
    (lambda w, s: (held(w) < s * w.sum(-1, keepdim=True)).sum(-1) + 2, "it should be"),
    # how many weights are above the mean
    (lambda w, s: (w > w.mean(-1, keepdim=True)).sum(-1), "it should be"),
    # e^H
    (lambda w, s: torch.special.entr(w).sum(-1).exp().round().long(), "it should be"),
    # 1/ΣA²
    (lambda w, s: (1 / w.square().sum(-1)).nan_to_num(0, 0, 0).round().long(), "it should be"),
    # how many keys have anything at all
    (lambda w, s: (w > 0).sum(-1), "it should be"),
    # a floating-point number
    (lambda w, s: right(w, s).double(), "Your output is float64, it should hold whole numbers (int64)"),
    # which keys, not how many
    (
        lambda w, s: w >= held(w).gather(-1, (right(w, s) - 1).clamp(min=0)[..., None]),
        "Your output has shape (1, 4), it should have (1,)",
    ),
    # the row scaled to one before, so that a row of nothing is NaN
    (lambda w, s: (held(w / w.sum(-1, keepdim=True)) < s).sum(-1) + 1, "0, not 1"),
    # 0.96, whatever is asked
    (lambda w, s: right(w, 0.96), "it should be"),
    # the mean over the queries
    (lambda w, s: right(w, s).double().mean(-1).long(), "Your output has shape ()"),
    # rounded up from the share of the keys
    (lambda w, s: torch.full(w.shape[:-1], int(s * w.shape[-1] + 0.999)), "it should be"),
    (lambda w, s: right(w, s).tolist(), "Your function should return a torch tensor"),
]

RIGHT = [
    right,
    one_by_one,
    kept_before,
    lambda w, s: torch.where(
        w.sum(-1) > 0, (held(w) >= s * w.sum(-1, keepdim=True)).long().argmax(-1) + 1, torch.tensor(0)
    ),
]
