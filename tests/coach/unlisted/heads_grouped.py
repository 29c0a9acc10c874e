"""Answers to heads.grouped: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def attend(q, k, v, scale=None):
    return (q @ k.mT * (scale or q.shape[-1] ** -0.5)).softmax(-1) @ v


def shared(x, q, of=lambda h, group: h // group):
    group = q.shape[1] // x.shape[1]
    return x[:, [of(h, group) for h in range(q.shape[1])]]


def by_groups(q, k, v):
    """Right: the queries of a group stand in an axis of their own, and the keys are never copied."""
    grouped = q.unflatten(1, (k.shape[1], -1))  # (batch, kv_head, group, query, d)
    return attend(grouped, k[:, :, None], v[:, :, None]).flatten(1, 2)


WRONG = [
    # the groups in the other order
    (lambda q, k, v: attend(q, shared(k.flip(1), q), shared(v.flip(1), q)), "The largest difference is at"),
    # the last key-value head for all
    (lambda q, k, v: attend(q, k[:, -1:], v[:, -1:]), "The largest difference is at"),
    # no scale
    (lambda q, k, v: attend(q, shared(k, q), shared(v, q), 1.0), "The largest difference is at"),
    # scaled by what is left of the width
    (
        lambda q, k, v: attend(q, shared(k, q), shared(v, q), (k.shape[1] * q.shape[-1]) ** -0.5),
        "The largest difference is at",
    ),
    # works for one key-value head alone
    (lambda q, k, v: attend(q, k, v), "RuntimeError"),
    # repeated along the batch
    (
        lambda q, k, v: attend(q, k.repeat_interleave(q.shape[1] // k.shape[1], 0), v),
        "Your output has shape (2, 2, 1, 2), it should have (1, 2, 1, 2)",
    ),
    # causal
    (
        lambda q, k, v: (
            (q @ shared(k, q).mT / math.sqrt(q.shape[-1]))
            .masked_fill(torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1), -math.inf)
            .softmax(-1)
            @ shared(v, q)
        ),
        "The largest difference is at",
    ),
    # keys without gradient
    (lambda q, k, v: attend(q, shared(k, q).detach(), shared(v, q)), "gradient"),
    # shared keys, but every value summed
    (
        lambda q, k, v: attend(q, shared(k, q), v.sum(1, keepdim=True)),
        "The largest difference is at",
    ),
]

RIGHT = [
    by_groups,
    lambda q, k, v: attend(q, shared(k, q), shared(v, q)),
    lambda q, k, v: torch.stack(
        [
            attend(q[:, h], k[:, h * k.shape[1] // q.shape[1]], v[:, h * k.shape[1] // q.shape[1]])
            for h in range(q.shape[1])
        ],
        dim=1,
    ),
]
