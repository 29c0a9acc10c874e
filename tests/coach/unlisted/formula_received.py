"""Answers to formula.received: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
from unlisted.parts import softmax


class Tools:
    """Right answers as methods."""

    @staticmethod
    def received(weights):
        return weights.sum(-2).div(weights.size(-2))

    def softmax(self, s):
        return softmax(s)


WRONG = [
    # the median listener
    (lambda w: w.median(-2).values, "All that is spent is received, so the shares must sum to 1;"),
    # divided by the number of keys
    (lambda w: w.sum(-2) / w.shape[-1], "All that is spent is received, so the shares must sum to 1;"),
    # the last query only
    (lambda w: w[..., -1, :], "it should be 0.7979, yours is 0.7511"),
    # keeps the query axis
    (lambda w: w.mean(-2, keepdim=True), "Your output has shape (1, 3), it should have (3,): (…, key)."),
    # right for a matrix and for sentences with heads, but not between
    (lambda w: w.mean(0 if w.dim() == 2 else 2), "right with fewer leading axes"),
    # n − 1 in the denominator
    (lambda w: w.sum(-2) / max(1, w.shape[-2] - 1), "All that is spent is received, so the shares must sum to 1;"),
    # normalised again over the keys
    (lambda w: w.sum(-2).softmax(-1), "it should be 0.7979, yours is 0.6676"),
    # a list of numbers
    (
        lambda w: [float(x) for x in w.mean(-2).flatten()],
        "Your function should return a torch tensor, it returned a list:",
    ),
    # through numpy
    (
        lambda w: torch.from_numpy(w.detach().numpy().mean(-2)),
        "The numbers are right, but no gradient flows back through them,",
    ),
    # the generator of the columns
    (
        lambda w: (w[..., j].mean(-1) for j in range(w.shape[-1])),
        "Your function should return a torch tensor, it returned a",
    ),
    # geometric mean
    (lambda w: w.log().mean(-2).exp(), "All that is spent is received, so the shares must sum to 1;"),
]

RIGHT = [
    Tools.received,
    lambda w: w.transpose(-2, -1).mean(-1),
    lambda w: (torch.ones(w.shape[-2], dtype=w.dtype) @ w) / w.shape[-2],
]
