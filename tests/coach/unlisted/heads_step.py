"""Answers to heads.step: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def right(q, k, v, past_k, past_v, hide=None, scale=None):
    keys, values = torch.cat([past_k, k], dim=-2), torch.cat([past_v, v], dim=-2)
    before, new = past_k.shape[-2], q.shape[-2]
    i, j = torch.arange(before, before + new)[:, None], torch.arange(before + new)[None, :]
    hidden = j > i if hide is None else hide(i, j)
    scores = (q @ keys.mT * (scale or q.shape[-1] ** -0.5)).masked_fill(hidden, -math.inf)
    return scores.softmax(-1) @ values


def one_at_a_time(q, k, v, past_k, past_v):
    """Right: the cache grows by one token a step."""
    outputs = []
    for a in range(q.shape[-2]):
        past_k, past_v = torch.cat([past_k, k[..., a : a + 1, :]], -2), torch.cat([past_v, v[..., a : a + 1, :]], -2)
        weights = (q[..., a : a + 1, :] @ past_k.mT / math.sqrt(q.shape[-1])).softmax(-1)
        outputs.append(weights @ past_v)
    return torch.cat(outputs, -2)


def two_softmaxes(q, k, v, past_k, past_v):
    """Past and present attended to apart, and averaged."""
    seen = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).tril()
    now = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~seen, -math.inf).softmax(-1) @ v
    if not past_k.shape[-2]:
        return now
    then = (q @ past_k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ past_v
    return (now + then) / 2


WRONG = [
    (two_softmaxes, "The largest difference is at"),
    # one token only
    (
        lambda q, k, v, pk, pv: right(q[..., -1:, :], k, v, pk, pv, hide=lambda i, j: j < 0),
        "it should have (1, 1, 2, 2)",
    ),
    # no scale
    (lambda *a: right(*a, scale=1.0), "The largest difference is at"),
    # a window of two
    (lambda *a: right(*a, hide=lambda i, j: (j > i) | (i - j >= 2)), "The largest difference is at"),
    # the past is cut by as many tokens as come in
    (
        lambda q, k, v, pk, pv: right(q, k, v, pk[..., q.shape[-2] :, :], pv[..., q.shape[-2] :, :]),
        "The largest difference is at",
    ),
    # the past turned round
    (
        lambda q, k, v, pk, pv: right(q, k, v, pk.flip(-2), pv),
        "The largest difference is at",
    ),
    # every query of old and new tokens
    (
        lambda q, k, v, pk, pv: (
            (torch.cat([pk, q], -2) @ torch.cat([pk, k], -2).mT / math.sqrt(q.shape[-1])).softmax(-1)
            @ torch.cat([pv, v], -2)
        ),
        "Your output has shape (1, 1, 3, 2), it should have (1, 1, 1, 2)",
    ),
    # a pair, with the new cache
    (
        lambda q, k, v, pk, pv: (right(q, k, v, pk, pv), torch.cat([pk, k], -2)),
        "Your function should return a torch tensor, it returned a tuple",
    ),
    # the past gets no gradient
    (lambda q, k, v, pk, pv: right(q, k, v, pk.detach(), pv), "gradient"),
    # heads exchanged with tokens
    (
        lambda q, k, v, pk, pv: right(*(x.transpose(1, 2) for x in (q, k, v, pk, pv))).transpose(1, 2),
        "RuntimeError",
    ),
]

RIGHT = [
    right,
    one_at_a_time,
    lambda q, k, v, pk, pv: (
        (
            (q @ torch.cat([pk, k], -2).mT / math.sqrt(q.shape[-1]))
            + torch.full((q.shape[-2], pk.shape[-2] + k.shape[-2]), -math.inf, dtype=q.dtype).triu(pk.shape[-2] + 1)
        ).softmax(-1)
        @ torch.cat([pv, v], -2)
    ),
]
