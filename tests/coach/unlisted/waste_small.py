"""Answers to waste.small: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def share(small, seen):
    return small.sum((-2, -1)).double() / seen.sum((-2, -1))


def one_by_one(weights, visible, epsilon):
    """Right, head by head: the visible weights are picked out."""
    flat = weights.reshape(-1, *weights.shape[-2:])
    seen = visible.expand(weights.shape).reshape(flat.shape)
    shares = [(rows[may] < epsilon).double().mean() for rows, may in zip(flat, seen, strict=True)]
    return torch.stack(shares).reshape(weights.shape[:-2])


WRONG = [
    # zeros count as hidden in the count, not in the divisor
    (
        lambda w, visible, e: share((w > 0) & (w < e), visible.expand(w.shape)),
        "The largest difference is",
    ),
    # only the lower triangle, whatever is visible
    (lambda w, visible, e: share((w < e).tril(), torch.ones_like(w).tril()), "The largest difference is"),
    # one number for all heads
    (
        lambda w, visible, e: (w[visible.expand(w.shape)] < e).double().mean(),
        "Your output has shape (), it should have (1,)",
    ),
    # the first text speaks for all
    (
        lambda w, visible, e: share((w < e) & visible[..., :1, :, :].expand(w.shape), visible.expand(w.shape)),
        "IndexError",
    ),
    # the divisor is that of all texts together
    (
        lambda w, visible, e: ((w < e) & visible).sum((-2, -1)).double() / visible.sum(),
        "The largest difference is",
    ),
    # a share of one row's keys
    (
        lambda w, visible, e: ((w < e) & visible).sum((-2, -1)).double() / w.shape[-1],
        "The largest difference is",
    ),
    # per cent
    (lambda w, visible, e: 100 * one_by_one(w, visible, e), "A share lies between 0 and 1"),
    # single precision
    (lambda w, visible, e: one_by_one(w, visible, e).float(), "Your output is float32"),
    # True and False
    (
        lambda w, visible, e: (w < e) & visible,
        "Your output has shape (1, 3, 3), it should have (1,)",
    ),
    # by keys
    (
        lambda w, visible, e: ((w < e) & visible).sum(-2).double() / visible.expand(w.shape).sum(-2),
        "Your output has shape (1, 3), it should have (1,)",
    ),
    # a bound of its own
    (lambda w, visible, e: one_by_one(w, visible, 1e-3), "it should be"),
    # hidden cells made large, and counted among all
    (
        lambda w, visible, e: (torch.where(visible, w, 1.0) < e).double().mean((-2, -1)).clone() + 0.0,
        "divide by all cells",
    ),
]

RIGHT = [
    one_by_one,
    lambda w, visible, e: share((w < e) & visible, visible.expand(w.shape)),
    lambda w, visible, e: torch.where(visible.expand(w.shape), (w < e).double(), torch.nan).flatten(-2).nanmean(-1),
    lambda w, visible, e: 1 - share(torch.where(visible, w, -1.0) >= e, visible.expand(w.shape)),
]
