"""Answers to transformer.attention: wrong ones, each with a part of what the check says, and right ones."""

import math

import torch


def right(q, k, v, visible, scale=None):
    scores = torch.einsum("...id,...jd->...ij", q, k) * (scale or q.shape[-1] ** -0.5)
    seen = visible.expand_as(scores)
    top = scores.where(seen, torch.tensor(-1e9, dtype=q.dtype)).amax(-1, keepdim=True).detach()
    powers = (scores - top).clamp(max=0).exp() * seen
    return powers @ v / powers.sum(-1, keepdim=True).clamp(min=1e-30)


def biased(q, k, v, visible):
    """Right: the mask is added, and rows that see nothing are multiplied away."""
    bias = torch.zeros(visible.shape, dtype=q.dtype).masked_fill(~visible, -1e30)
    weights = (q @ k.mT / math.sqrt(q.shape[-1]) + bias).softmax(-1)
    return (weights * visible) @ v


def only_four_axes(q, k, v, visible):
    batch, heads, n, d = q.shape
    out = right(q.reshape(batch * heads, n, d), *(x.reshape(batch * heads, -1, d) for x in (k, v)), visible)
    return out.view(batch, heads, n, d)


def remembers_the_first(q, k, v, visible):
    return right(q, k, v, visible if q.shape[0] < 3 else torch.ones_like(visible))


def breaks_in_a_model(q, k, v, visible):
    if q.shape[0] == 16:
        raise RuntimeError("sixteen is too many")
    return right(q, k, v, visible)


WRONG = [
    # honest on a few sentences, and leaking on more: only a training tells
    (remembers_the_first, "The largest difference is at step 1, loss or gradient 0"),
    (breaks_in_a_model, "RuntimeError"),
    # keys without gradient
    (lambda q, k, v, s: right(q, k.detach(), v, s), "no gradient reaches k"),
    # divided by d, not by its root
    (lambda q, k, v, s: right(q, k, v, s, scale=1 / q.shape[-1]), "The largest difference is at"),
    # a mask that needs as many queries as keys
    (lambda q, k, v, s: right(q, k, v, s & s.mT), "The largest difference is at"),
    # the mask for all but the last query
    (
        lambda q, k, v, s: torch.cat(
            [right(q[..., :-1, :], k, v, s.expand(*q.shape[:-1], -1)[..., :-1, :]), v[..., -1:, :]], -2
        ),
        "The largest difference is at",
    ),
    # heads averaged
    (
        lambda q, k, v, s: right(q, k, v, s).mean(1, keepdim=True),
        "should return (batch, head, query, d) = (16, 2, 4, 8), got (16, 1, 4, 8)",
    ),
    # leading axes merged, and the mask forgotten there
    (only_four_axes, "RuntimeError"),
    # a residual
    (lambda q, k, v, s: right(q, k, v, s) + q, "The largest difference is at"),
    # single precision
    (lambda q, k, v, s: right(q, k, v, s).float(), "Your output is float32, the inputs are float64"),
]

RIGHT = [right, biased]
