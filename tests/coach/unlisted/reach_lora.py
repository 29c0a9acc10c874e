"""Answers to reach.lora: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
import torch.nn.functional as F


def merged(x, w, a, b, alpha):
    """Right: one matrix, as it is shipped."""
    return x @ (w + alpha / a.shape[0] * (b @ a)).T


def right(x, w, a, b, alpha):
    return F.linear(x, w) + F.linear(F.linear(x, a), b) * (alpha / len(a))


WRONG = [
    # subtracted
    (lambda x, w, a, b, alpha: x @ w.T - alpha / len(a) * (x @ a.T @ b.T), "The largest difference is at token"),
    # the scale twice
    (lambda x, w, a, b, alpha: right(x, w, a, b, alpha * alpha / len(a)), "The largest difference is at token"),
    # a whole division
    (lambda x, w, a, b, alpha: x @ w.T + (alpha // len(a)) * (x @ a.T @ b.T), "The largest difference is at token"),
    # one direction of the r
    (
        lambda x, w, a, b, alpha: x @ w.T + alpha / len(a) * (x @ a[:1].T @ b[:, :1].T),
        "The largest difference is at token",
    ),
    # the frozen layer alone
    (lambda x, w, a, b, alpha: x @ w.T, "The largest difference is at token"),
    # the merged matrix instead of the output
    (
        lambda x, w, a, b, alpha: w + alpha / len(a) * (b @ a),
        "Your output has shape (2, 2), it should have (1, 2, 2): (…, token, feature)",
    ),
    # the pair
    (lambda *args: (right(*args), merged(*args)), "it returned a tuple"),
    # b is not trained
    (lambda x, w, a, b, alpha: right(x, w, a, b.detach(), alpha), "no gradient reaches b"),
    # a product of entries
    (lambda x, w, a, b, alpha: right(x, w * (b @ a), a, b, alpha), "The largest difference is at token"),
    # w is changed for good
    (lambda x, w, a, b, alpha: x @ w.add_(alpha / len(a) * (b @ a)).T, "Your function changes w in place"),
]

RIGHT = [
    merged,
    right,
    lambda x, w, a, b, alpha: (
        torch.einsum("bti,oi->bto", x, w) + torch.einsum("bti,ri,or->bto", x, a, b) * alpha / a.shape[0]
    ),
]
