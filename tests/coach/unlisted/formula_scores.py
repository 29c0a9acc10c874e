"""Answers to formula.scores: wrong ones, each with a part of what the check says, and right ones in other words."""

import functools
import math

import torch
from unlisted.parts import scores

CALLS = {"n": 0}


def loop_one_short(q, k):
    """The last key is forgotten: range(n - 1)."""
    out = q.new_zeros(*q.shape[:-1], k.shape[-2])
    for j in range(k.shape[-2] - 1):
        out[..., j] = (q * k[..., j : j + 1, :]).sum(-1) / math.sqrt(q.shape[-1])
    return out


def loop_square(q, k):
    """As many keys as queries, taken for granted."""
    rows = [[q[..., i, :] @ k[..., j, :] for j in range(q.shape[-2])] for i in range(q.shape[-2])]
    return torch.stack([torch.stack(row) for row in rows]) / math.sqrt(q.shape[-1])


def remembers_d(q, k, kept=[]):  # noqa: B006
    """A list as default argument, filled by the first call."""
    kept.append(q.shape[-1])
    return q @ k.transpose(-2, -1) / math.sqrt(kept[0])


def counts_calls(q, k):
    """A global that grows with each call."""
    CALLS["n"] += 1
    return scores(q, k) * CALLS["n"]


def logged(function):
    @functools.wraps(function)
    def inner(*args):
        print("called with", [tuple(arg.shape) for arg in args])
        return function(*args)

    return inner


WRONG = [
    (loop_one_short, "it should be -0.06171, yours is 0"),
    (loop_square, "Your output has shape (1, 1), it should have (1, 2): (…, query,"),
    (remembers_d, "it should be 0.9551, yours is 1.17"),
    (counts_calls, "Called twice with the same input, your function gives two"),
    # multiplies number by number instead of taking dot products
    (
        lambda q, k: q * k / math.sqrt(q.shape[-1]),
        "Your output has shape (2, 2), it should have (1, 2): (…, query,",
    ),
    # the sums of the products, broadcast over the wrong pair of axes
    (
        lambda q, k: (q[..., None, :, :] * k[..., :, None, :]).sum(-1) / math.sqrt(q.shape[-1]),
        "Rows and columns have changed places: here the keys ask and the",
    ),
    # d_k of the first case, typed in
    (lambda q, k: q @ k.transpose(-2, -1) / math.sqrt(2), "it should be 0.9551, yours is 1.17"),
    # axes counted from the front
    (lambda q, k: q @ k.transpose(0, 1) / math.sqrt(q.shape[1]), "right with fewer leading axes"),
    # works for a matrix, and for sentences and heads, but for nothing between
    (
        lambda q, k: torch.einsum("id,jd->ij" if q.dim() == 2 else "bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5,
        "right with fewer leading axes",
    ),
    # right for one head only: the first one's keys for all
    (
        lambda q, k: q @ (k if k.dim() == 2 else k[:, :1]).transpose(-2, -1) / math.sqrt(q.shape[-1]),
        "right with fewer leading axes",
    ),
    # float32 on the way
    (lambda q, k: scores(q.float(), k.float()), "Your output is float32, the inputs are float64: keep their"),
    # a root with four digits
    (
        lambda q, k: q @ k.transpose(-2, -1) / round(math.sqrt(q.shape[-1]), 4),
        "Nearly: your output is off by up to 6e-06, which is more than",
    ),
    # right forward, no gradient to the keys
    (lambda q, k: scores(q, k.detach()), "The numbers are right, but no gradient reaches k: look for"),
    # rounded for looks
    (lambda q, k: scores(q, k).round(decimals=3), "it should be -0.06171, yours is -0.062"),
    # made anew from a list
    (
        lambda q, k: torch.tensor(scores(q, k).tolist(), dtype=q.dtype),
        "The numbers are right, but no gradient flows back through them,",
    ),
]

RIGHT = [
    functools.partial(lambda scale, q, k: torch.matmul(q * scale(q), k.mT), lambda q: q.shape[-1] ** -0.5),
    lambda q, k, scale=None: torch.einsum("...id,...jd->...ij", q, k) * (scale or q.shape[-1] ** -0.5),
    lambda q, k: (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) / torch.sqrt(torch.tensor(q.shape[-1])),
    logged(scores),
]
