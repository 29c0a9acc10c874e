"""Answers to heads.multihead: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def right(x, w_q, w_k, w_v, w_o, heads, hidden=None, scale=None):
    q, k, v = (torch.stack((x @ w).chunk(heads, dim=-1), dim=1) for w in (w_q, w_k, w_v))
    scores = q @ k.mT * (scale or q.shape[-1] ** -0.5)
    if hidden is not None:
        scores = scores.masked_fill(hidden(scores), -math.inf)
    joined = torch.cat((scores.softmax(-1) @ v).unbind(1), dim=-1)
    return joined @ w_o


def head_by_head(x, w_q, w_k, w_v, w_o, heads):
    """Right: a sum over heads, each with its rows of w_o."""
    d = x.shape[-1] // heads
    total = torch.zeros_like(x)
    for h in range(heads):
        mine = slice(h * d, (h + 1) * d)
        q, k, v = x @ w_q[:, mine], x @ w_k[:, mine], x @ w_v[:, mine]
        total = total + (q @ k.mT / math.sqrt(d)).softmax(-1) @ v @ w_o[mine]
    return total


WRONG = [
    # causal, though nobody asked
    (
        lambda *a: right(*a, hidden=lambda s: torch.ones_like(s, dtype=torch.bool).triu(1)),
        "The largest difference is at",
    ),
    # heads joined in the other order
    (
        lambda x, w_q, w_k, w_v, w_o, heads: right(
            x, w_q, w_k, w_v, torch.cat(list(w_o.chunk(heads, dim=0))[::-1], dim=0), heads
        ),
        "The largest difference is at",
    ),
    # divided by d_head, not by its root
    (lambda *a: right(*a, scale=a[-1] / a[0].shape[-1]), "The largest difference is at"),
    # a residual
    (lambda *a: right(*a) + a[0], "The largest difference is at"),
    # keys and queries exchanged
    (lambda x, w_q, w_k, *rest: right(x, w_k, w_q, *rest), "The largest difference is at"),
    # the heads averaged
    (
        lambda x, w_q, w_k, w_v, w_o, heads: torch.stack(
            right(x, w_q, w_k, w_v, torch.eye(x.shape[-1], dtype=x.dtype), heads).chunk(heads, dim=-1)
        ).mean(0),
        "Your output has shape (1, 2, 2), it should have (1, 2, 4)",
    ),
    # values before their projection
    (
        lambda x, w_q, w_k, w_v, w_o, heads: right(x, w_q, w_k, torch.eye(x.shape[-1], dtype=x.dtype), w_o, heads),
        "The largest difference is at",
    ),
    # only the first sentence
    (lambda x, *rest: right(x[:1], *rest), "Your output has shape (1, 5, 12), it should have (2, 5, 12)"),
    # the projections are not trained
    (
        lambda x, w_q, *rest: right(x, w_q.detach(), *rest),
        "gradient",
    ),
    # None
    (lambda *a: None, "Your function returns None."),
]

RIGHT = [
    right,
    head_by_head,
    lambda x, w_q, w_k, w_v, w_o, heads: torch.einsum(
        "bhij,bjhd,hdo->bio",
        (
            torch.einsum("bihd,bjhd->bhij", *((x @ w).unflatten(-1, (heads, -1)) for w in (w_q, w_k)))
            / math.sqrt(x.shape[-1] // heads)
        ).softmax(-1),
        (x @ w_v).unflatten(-1, (heads, -1)),
        w_o.unflatten(0, (heads, -1)),
    ),
]
