"""Answers to transformer.cross: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def right(x, memory, keep, w_q, w_k, w_v, scale=None, fill=-math.inf):
    scores = torch.einsum("bid,bjd->bij", x @ w_q, memory @ w_k) * (scale or w_q.shape[-1] ** -0.5)
    return scores.masked_fill(~keep.unsqueeze(1), fill).softmax(-1) @ (memory @ w_v)


def one_by_one(x, memory, keep, w_q, w_k, w_v):
    """Right: the filler is cut off before anything is computed."""
    rows = []
    for a, b, kept in zip(x, memory, keep, strict=True):
        real = b[kept]
        rows.append(((a @ w_q) @ (real @ w_k).mT / math.sqrt(w_q.shape[-1])).softmax(-1) @ (real @ w_v))
    return torch.stack(rows)


WRONG = [
    # no scale
    (lambda *a: right(*a, scale=1.0), "The largest difference is at"),
    # a small penalty instead of −∞
    (lambda *a: right(*a, fill=-3.0), "The largest difference is at"),
    # keys and queries exchanged
    (lambda x, m, keep, q, k, v: right(x, m, keep, k, q, v), "The largest difference is at"),
    # values before their projection
    (lambda x, m, keep, q, k, v: right(x, m, keep, q, k, torch.eye(len(v)).double()), "The largest difference is at"),
    # added to x
    (lambda x, *rest: right(x, *rest) + x, "The largest difference is at"),
    # the mask counts sentences from the end
    (lambda x, m, keep, *w: right(x, m, keep.flip(0), *w), "The largest difference is at"),
    # always one filler at the end
    (
        lambda x, m, keep, *w: right(x, m, torch.arange(m.shape[1]).expand_as(keep) < m.shape[1] - 1, *w),
        "The largest difference is at",
    ),
    # the weights
    (
        lambda x, m, keep, q, k, v: right(x, m, keep, q, k, v) @ torch.linalg.pinv(m @ v),
        "Your output has shape (1, 1, 3), it should have (1, 1, 2)",
    ),
    # the mask has no axis for the queries
    (
        lambda x, m, keep, q, k, v: ((x @ q) @ (m @ k).mT).masked_fill(~keep[None], -math.inf).softmax(-1) @ (m @ v),
        "The largest difference is at",
    ),
    # nothing flows back into the memory
    (lambda x, m, *rest: right(x, m.detach(), *rest), "gradient"),
]

RIGHT = [right, one_by_one, lambda *a: right(*a, fill=-1e30)]
