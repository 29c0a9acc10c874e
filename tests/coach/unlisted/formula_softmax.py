"""Answers to formula.softmax: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch
from unlisted.parts import softmax


def swallows_nan(s):
    """exp overflows, and the NaN is painted over."""
    return (s.exp() / s.exp().sum(-1, keepdim=True)).nan_to_num(0.0)


def softmax_in_a_loop(s):
    """Row by row, for matrices only."""
    return torch.stack([(row - row.max()).exp() / (row - row.max()).exp().sum() for row in s])


def written_into_a_copy(s):
    """Right: in place, but on tensors of its own."""
    out = s.clone()
    out -= s.amax(-1, keepdim=True)
    out = out.exp()
    for row in out.view(-1, s.shape[-1]).split(1):
        assert row.sum() > 0
    return out / out.sum(-1, keepdim=True)


class Tools:
    """Right answers as methods."""

    @staticmethod
    def received(weights):
        return weights.sum(-2).div(weights.size(-2))

    def softmax(self, s):
        return softmax(s)


WRONG = [
    (softmax_in_a_loop, "right with fewer leading axes"),
    (swallows_nan, "Each query has one unit of attention to spend, so every row"),
    # over the first axis
    (lambda s: softmax(s, 0), "Each query has one unit of attention to spend, so every row"),
    # over axis 1, which is the last only of a matrix
    (lambda s: softmax(s, 1), "right with fewer leading axes"),
    # forgets keepdim, so the sums line up with the keys
    (
        lambda s: (s - s.max()).exp() / (s - s.max()).exp().sum(-1),
        "The size of tensor a (3) must match the size of tensor b (2) at",
    ),
    # clamps what would overflow
    (
        lambda s: s.clamp(max=700).exp() / s.clamp(max=700).exp().sum(-1, keepdim=True),
        "it should be 0.5682, yours is 0.3333",
    ),
    # subtracts the mean of the row, which tames little
    (
        lambda s: (s - s.mean()).exp() / (s - s.mean()).exp().sum(-1, keepdim=True),
        "Your output has NaN at 6 of 6 places.",
    ),
    # a small number in the denominator
    (
        lambda s: (s - s.amax(-1, keepdim=True)).exp() / ((s - s.amax(-1, keepdim=True)).exp().sum(-1, True) + 1e-6),
        "Nearly: your output is off by up to 7e-07, which is more than",
    ),
    # forgets the temperature is one: divides by √n
    (lambda s: softmax(s / math.sqrt(s.shape[-1])), "it should be 0.8446, yours is 0.6833"),
    # squares instead of exponentials
    (lambda s: s**2 / (s**2).sum(-1, keepdim=True), "it should be 0.02047, yours is 0.6586"),
    # hardmax: everything to the largest
    (lambda s: (s == s.amax(-1, keepdim=True)).double(), "it should be 0.8446, yours is 1"),
    # divides in place what the gradient of exp still needs
    (
        lambda s: (lambda e: e.div_(e.sum(-1, keepdim=True)))((s - s.amax(-1, keepdim=True)).exp()),
        "Your function overwrites a tensor that the gradient still needs",
    ),
    # through math.exp: no gradient
    (
        lambda s: s.detach().apply_(math.exp) / s.detach().apply_(math.exp).sum(-1, keepdim=True),
        "Your function changes scores in place, and whoever passed it",
    ),
]

RIGHT = [
    Tools().softmax,
    lambda s: 1 / (s.unsqueeze(-2) - s.unsqueeze(-1)).exp().sum(-1),
    written_into_a_copy,
    lambda scores: softmax(scores - scores.detach().amax(-1, keepdim=True)),
]
