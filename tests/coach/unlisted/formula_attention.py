"""Answers to formula.attention: wrong ones, each with a part of what the check says, and right ones in other words."""

import functools
import math

import torch
from torch import nn
from unlisted.parts import scores, weights


def looped_attention(q, k, v):
    """Starts at the second key."""
    w = weights(q, k)
    return sum(w[..., j, None] * v[..., j : j + 1, :] for j in range(1, k.shape[-2]))


class Projected(nn.Module):
    """A layer with weights of its own, as in a real transformer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.to_q = nn.Linear(2, 2, dtype=torch.float64)

    def forward(self, q, k, v):
        return weights(self.to_q(q), k) @ v


class Attention(nn.Module):
    """A right answer as a module."""

    def __init__(self):
        super().__init__()
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, q, k, v):
        return self.softmax(scores(q, k)) @ v


def logged(function):
    @functools.wraps(function)
    def inner(*args):
        print("called with", [tuple(arg.shape) for arg in args])
        return function(*args)

    return inner


WRONG = [
    (looped_attention, "An average cannot lie outside what it averages, but your output"),
    (Projected(), "it should be 0.3652, yours is 0.4703"),
    # softmax of the weights a second time
    (lambda q, k, v: weights(q, k).softmax(-1) @ v, "it should be 0.3652, yours is 0.5095"),
    # scaled by d_v
    (
        lambda q, k, v: (q @ k.transpose(-2, -1) / math.sqrt(v.shape[-1])).softmax(-1) @ v,
        "it should be 0.3613, yours is 0.3066",
    ),
    # values and keys exchanged
    (lambda q, k, v: weights(q, v) @ k, "it should be 0.3652, yours is 0.4058"),
    # causal, though nobody asked
    (
        lambda q, k, v: (
            scores(q, k).masked_fill(torch.ones(q.shape[-2], k.shape[-2]).triu(1).bool(), -1e9).softmax(-1) @ v
        ),
        "it should be 0.3652, yours is -0.1692",
    ),
    # axes counted from the front
    (
        lambda q, k, v: (q @ k.transpose(0, 1) / math.sqrt(q.shape[-1])).softmax(1) @ v,
        "right with fewer leading axes",
    ),
    # dropout left on
    (
        lambda q, k, v: torch.dropout(weights(q, k), 0.1, True) @ v,
        "An average cannot lie outside what it averages, but your output",
    ),
    # weights without gradient
    (lambda q, k, v: weights(q, k).detach() @ v, "The numbers are right, but no gradient reaches q: look for"),
    # everything at once: output and weights
    (
        lambda q, k, v: (weights(q, k) @ v, weights(q, k)),
        "Your function should return a torch tensor, it returned a",
    ),
    # a residual on top
    (
        lambda q, k, v: weights(q, k) @ v + v.mean(-2, keepdim=True),
        "An average cannot lie outside what it averages, but your output",
    ),
]

RIGHT = [
    Attention(),
    logged(lambda q, k, v, *, dropout=0.0: torch.einsum("...ij,...jd->...id", weights(q, k), v)),
    lambda *qkv: weights(*qkv[:2]).matmul(qkv[2]),
    lambda q, k, v: (v.mT @ weights(q, k).mT).mT,
]
