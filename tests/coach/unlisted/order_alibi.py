"""Answers to order.alibi: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def slopes(heads):
    return 2.0 ** (-8 * torch.arange(1, heads + 1, dtype=torch.float64) / heads)


def back(n):
    return torch.arange(n)[:, None] - torch.arange(n)


def right(scores, m=slopes, b=back, last=lambda s: s.softmax(-1)):
    n = scores.shape[-1]
    penalty = m(len(scores))[:, None, None] * b(n)
    return last((scores - penalty).masked_fill(back(n) < 0, -math.inf))


def in_place(scores):
    scores -= slopes(len(scores))[:, None, None] * back(scores.shape[-1])
    return scores.masked_fill(back(scores.shape[-1]) < 0, -math.inf).softmax(-1)


def by_keys(scores):
    """Right: softmax does not mind a constant a row, so + slope · j does the same."""
    n = scores.shape[-1]
    bias = slopes(len(scores))[:, None, None] * torch.arange(n)
    return (scores + bias).masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -math.inf).softmax(-1)


def loops(scores):
    """Right, head by head."""
    out, first = [], 2 ** (-8 / len(scores))
    for h, each in enumerate(scores):
        powers = (each - first ** (h + 1) * back(len(each))).exp().tril()
        out.append(powers / powers.sum(-1, keepdim=True))
    return torch.stack(out)


WRONG = [
    (in_place, "Your function changes scores in place"),
    # scores instead of weights
    (lambda s: right(s, last=lambda x: x), "Your output is infinite at"),
    # the softmax over the queries
    (lambda s: right(s, last=lambda x: x.softmax(-2)), "The largest difference is at"),
    # −16 instead of −8
    (lambda s: right(s, m=lambda h: slopes(h).square()), "The largest difference is at"),
    # a logarithm of the distance
    (lambda s: right(s, b=lambda n: (1 + back(n).clamp(min=0)).log()), "The largest difference is at"),
    # one step too near, and clamped
    (lambda s: right(s, b=lambda n: (back(n) - 1).clamp(min=0)), "The largest difference is at"),
    # slopes along the queries
    (
        lambda s: (
            (s - (2.0 ** -torch.arange(1, s.shape[-1] + 1, dtype=s.dtype))[:, None] * back(s.shape[-1]))
            .masked_fill(back(s.shape[-1]) < 0, -math.inf)
            .softmax(-1)
        ),
        "The largest difference is at",
    ),
    # multiplied
    (lambda s: right(s * (1 + slopes(len(s))[:, None, None]), m=torch.zeros), "The largest difference is at"),
    # not causal, with the distance to both sides clamped
    (
        lambda s: (s - slopes(len(s))[:, None, None] * back(s.shape[-1]).clamp(min=0)).softmax(-1),
        "A query gives weight to a key after it.",
    ),
    # no gradient
    (lambda s: right(s.detach()), "no gradient flows back"),
]

RIGHT = [right, by_keys, loops]
