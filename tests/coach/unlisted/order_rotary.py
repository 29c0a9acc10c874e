"""Answers to order.rotary: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def rates(d, base=10_000.0):
    return base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)


def turned(x, at, r=rates):
    """By complex numbers: a + ib times e^(i·angle)."""
    a, b = x.chunk(2, -1)
    angle = at[:, None] * r(x.shape[-1])
    z = torch.complex(a, b) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([z.real, z.imag], -1)


def attend(q, k, v, scale=None):
    return (q @ k.mT * (scale or q.shape[-1] ** -0.5)).softmax(-1) @ v


def by_halves(x, at):
    """Right: as the published code has it, x·cos + rotate_half(x)·sin."""
    angle = (at[:, None] * rates(x.shape[-1])).repeat(1, 2)
    a, b = x.chunk(2, -1)
    return x * angle.cos() + torch.cat([-b, a], -1) * angle.sin()


def by_difference(q, k, v, at):
    """Right: the queries stay, and each meets keys that are turned by the difference."""
    rows = []
    for a in range(len(at)):
        keys = turned(k, at - at[a])
        rows.append((q[..., a : a + 1, :] * keys).sum(-1) / math.sqrt(q.shape[-1]))
    return torch.stack(rows, -2).softmax(-1) @ v


def waves(at, d):
    angle = at[:, None] * rates(d)
    return torch.cat([angle.sin(), angle.cos()], -1)


WRONG = [
    # another base
    (
        lambda q, k, v, at: attend(*(turned(x, at, lambda d: rates(d, 1000.0)) for x in (q, k)), v),
        "The largest difference is at",
    ),
    # turned twice
    (
        lambda q, k, v, at: attend(*(turned(turned(x, at), at) for x in (q, k)), v),
        "The largest difference is at",
    ),
    # turned backwards, both of them
    (lambda q, k, v, at: attend(turned(q, -at), turned(k, -at), v), "The largest difference is at"),
    # every pair at one rate
    (
        lambda q, k, v, at: attend(*(turned(x, at, lambda d: rates(d) ** 0) for x in (q, k)), v),
        "The largest difference is at",
    ),
    # added instead of turned
    (
        lambda q, k, v, at: attend(*(x + waves(at, x.shape[-1]) for x in (q, k)), v),
        "The largest difference is at",
    ),
    # scaled by d
    (lambda q, k, v, at: attend(turned(q, at), turned(k, at), v, 1 / q.shape[-1]), "The largest difference is at"),
    # scores instead of the output
    (
        lambda q, k, v, at: turned(q, at) @ turned(k, at).mT,
        "The largest difference is at",
    ),
    # causal
    (
        lambda q, k, v, at: (
            (turned(q, at) @ turned(k, at).mT / math.sqrt(q.shape[-1]))
            .masked_fill(torch.ones(len(at), len(at), dtype=torch.bool).triu(1), -math.inf)
            .softmax(-1)
            @ v
        ),
        "The largest difference is at",
    ),
    # the keys get no gradient
    (lambda q, k, v, at: attend(turned(q, at), turned(k.detach(), at), v), "gradient"),
    # None
    (lambda q, k, v, at: None, "Your function returns None."),
]

RIGHT = [
    lambda q, k, v, at: attend(turned(q, at), turned(k, at), v),
    lambda q, k, v, at: attend(by_halves(q, at), by_halves(k, at), v),
    by_difference,
    # counted from the first token: only differences matter
    lambda q, k, v, at: attend(turned(q, at - at[0]), turned(k, at - at[0]), v),
]
