"""Answers to waste.without: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def layer(x, w_q, w_k, w_v, w_o, heads, scale=None):
    q, k, v = ((x @ w).unflatten(-1, (heads, -1)).transpose(1, 2) for w in (w_q, w_k, w_v))
    scores = q @ k.mT / (scale or math.sqrt(q.shape[-1]))
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2) @ w_o


def sliced(w_q, w_k, w_v, w_o, heads, gone):
    """The four matrices without these heads, cut along an axis of heads."""
    kept = torch.tensor([h for h in range(heads) if h not in gone])
    q, k, v = (w.unflatten(-1, (heads, -1))[:, kept].flatten(1) for w in (w_q, w_k, w_v))
    return q, k, v, w_o.unflatten(0, (heads, -1))[kept].flatten(0, 1), len(kept)


def right(x, w_q, w_k, w_v, w_o, heads, gone):
    return layer(x, *sliced(w_q, w_k, w_v, w_o, heads, gone))


def summed(x, w_q, w_k, w_v, w_o, heads, gone):
    """Right: a sum over the heads that stay."""
    total = torch.zeros_like(x)
    for h in sorted(set(range(heads)) - set(gone)):
        q, k, v = (w.chunk(heads, dim=1)[h] for w in (w_q, w_k, w_v))
        total = total + layer(x, q, k, v, w_o.chunk(heads)[h], 1)
    return total


def by_mask(x, w_q, w_k, w_v, w_o, heads, gone):
    """Right: features that stay as True and False."""
    d = w_q.shape[-1] // heads
    stays = torch.tensor([h not in gone for h in range(heads)]).repeat_interleave(d)
    return layer(x, w_q[:, stays], w_k[:, stays], w_v[:, stays], w_o[stays], heads - len(gone))


def silenced_late(x, w_q, w_k, w_v, w_o, heads, gone):
    """All heads, and the rows of w_o that go set to zero."""
    d = w_q.shape[-1] // heads
    keep = torch.tensor([h not in gone for h in range(heads)], dtype=x.dtype).repeat_interleave(d)
    return layer(x, w_q, w_k, w_v, w_o * keep[:, None], heads)


def one_wide(x, w_q, w_k, w_v, w_o, heads, gone):
    q, k, v, o, _ = sliced(w_q, w_k, w_v, w_o, heads, gone)
    return layer(x, q, k, v, o, 1)


def gone_cut_from_w_o_alone(x, w_q, w_k, w_v, w_o, heads, gone):
    *_, o, left = sliced(w_q, w_k, w_v, w_o, heads, gone)
    size = o.shape[0]
    return layer(x, w_q[:, :size], w_k[:, :size], w_v[:, :size], o, left)


WRONG = [
    (silenced_late, "nothing became smaller"),
    (one_wide, "The largest difference is at"),
    (gone_cut_from_w_o_alone, "The largest difference is at"),
    # columns of w_o cut
    (
        lambda x, q, k, v, o, heads, gone: layer(
            x, *sliced(q, k, v, o, heads, gone)[:3], sliced(q, k, v, o.T, heads, gone)[3].T, heads - len(gone)
        ),
        "RuntimeError",
    ),
    # no scale
    (
        lambda x, q, k, v, o, heads, gone: layer(x, *sliced(q, k, v, o, heads, gone), scale=1.0),
        "The largest difference is at",
    ),
    # the last heads go, as many as are named
    (
        lambda x, q, k, v, o, heads, gone: right(x, q, k, v, o, heads, tuple(range(heads - len(gone), heads))),
        "The largest difference is at",
    ),
    # only the first that is named goes
    (
        lambda x, q, k, v, o, heads, gone: right(x, q, k, v, o, heads, gone[:1]),
        "The largest difference is at",
    ),
    # values alone are zeroed, in place
    (
        lambda x, q, k, v, o, heads, gone: layer(x, q, k, v.mul_(0), o, heads),
        "changes w_v in place",
    ),
    # causal by habit
    (
        lambda x, q, k, v, o, heads, gone: right(x.flip(1), q, k, v, o, heads, gone),
        "The largest difference is at",
    ),
    # no gradient
    (lambda x, *rest: right(x.detach(), *rest), "gradient"),
    # the residual added
    (lambda x, *rest: x + right(x, *rest), "The largest difference is at"),
    # four matrices
    (
        lambda x, q, k, v, o, heads, gone: sliced(q, k, v, o, heads, gone)[:4],
        "Your function should return a torch tensor, it returned a tuple",
    ),
]

RIGHT = [right, summed, by_mask]
