"""Answers to reach.fuse: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def right(text, left, right_, w_q, w_k, scale=None):
    """Right: values that say which picture they are from, so that attention itself adds up the masses."""
    patches = torch.cat([left, right_], dim=1)
    from_right = (torch.arange(patches.shape[1]) >= left.shape[1]).long()
    values = torch.eye(2, dtype=text.dtype)[from_right]  # (patch, picture)
    scores = torch.einsum("bwd,dk,bpe,ek->bwp", text, w_q, patches, w_k) / (scale or math.sqrt(w_k.shape[-1]))
    return scores.softmax(-1) @ values


def by_logs(text, left, right_, w_q, w_k):
    """Right: the log of each picture's sum, and a softmax over the two."""
    q = text @ w_q * w_q.shape[1] ** -0.5
    return torch.stack([(q @ (image @ w_k).mT).logsumexp(-1) for image in (left, right_)], dim=-1).softmax(-1)


def from_one(text, left, right_, w_q, w_k):
    """Right: what the left does not get, the right gets."""
    q = text @ w_q
    powers = [(q @ (image @ w_k).mT / math.sqrt(q.shape[-1])).exp().sum(-1) for image in (left, right_)]
    share = powers[0] / (powers[0] + powers[1])
    return torch.stack([share, 1 - share], dim=-1)


WRONG = [
    # divided by d_k, not by its root
    (lambda *a: right(*a, scale=a[-1].shape[-1]), "The largest difference is at word 0, picture"),
    # the weights themselves
    (
        lambda t, left, r, q, k: ((t @ q) @ (torch.cat([left, r], 1) @ k).mT / math.sqrt(q.shape[1])).softmax(-1),
        "Your output has shape (1, 2, 4), it should have (1, 2, 2): (…, word, picture)",
    ),
    # the pictures before the words
    (lambda *a: right(*a).mT, "it should have (1, 1, 2): (…, word, picture)"),
    # the left picture only
    (lambda *a: right(*a)[..., 0], "Your output has shape (1, 1), it should have (1, 1, 2)"),
    # averaged over the words
    (lambda *a: right(*a).mean(1), "Your output has shape (1, 2), it should have (1, 1, 2)"),
    # in per cent
    (lambda *a: 100 * right(*a), "A word's two masses should add up to one"),
    # which picture wins
    (
        lambda *a: (right(*a) == right(*a).amax(-1, keepdim=True)).double(),
        "The largest difference is at word 0, picture",
    ),
    # a sigmoid for each patch
    (
        lambda t, left, r, q, k: torch.stack(
            [((t @ q) @ (i @ k).mT / math.sqrt(q.shape[1])).sigmoid().sum(-1) for i in (left, r)], -1
        ),
        "A word's two masses should add up to one",
    ),
    # divided by the root of the number of patches
    (
        lambda t, left, r, q, k: right(t, left, r, q, k, scale=math.sqrt(left.shape[1] + r.shape[1])),
        "The largest difference is at word",
    ),
    # the right picture twice
    (lambda t, left, r, q, k: right(t, r, r, q, k), "The largest difference is at word 0, picture"),
    # no gradient to the patches' matrix
    (lambda t, left, r, q, k: right(t, left, r, q, k.detach()), "no gradient reaches w_k"),
]

RIGHT = [right, by_logs, from_one]
