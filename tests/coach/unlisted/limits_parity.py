"""Answers to limits.parity: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def steps(bits):
    """(n + 1,) places and (string, n + 1) with 1/(n + 1) at the count."""
    n = bits.shape[-1]
    i = torch.arange(n + 1, dtype=bits.dtype)
    a = (bits.sum(-1, keepdim=True) - i) / (n + 1)
    one = 1 / (n + 1)
    return i, torch.relu(a - one) - 2 * torch.relu(a) + torch.relu(a + one)


def right(bits, c):
    i, lit = steps(bits)
    sides = torch.cos(i * math.pi)
    even, odd = (s * c * sides for s in (1, -1))
    return (odd.softmax(-1) * lit).sum(-1) - (even.softmax(-1) * lit).sum(-1)


def whole_maps(bits, c):
    """Right: with the maps of both layers written out, and the mark at the end."""
    n = bits.shape[-1]
    x = torch.cat([bits, torch.zeros_like(bits[:, :1])], dim=-1)  # (string, token): the mark is no one
    even_map = torch.full((n + 1, n + 1), 1 / (n + 1), dtype=bits.dtype)
    a = x @ even_map.T - torch.arange(n + 1, dtype=bits.dtype) / (n + 1)
    hat = (a + 1 / (n + 1)).clamp(min=0) - 2 * a.clamp(min=0) + (a - 1 / (n + 1)).clamp(min=0)
    sides = (-1.0) ** torch.arange(n + 1, dtype=bits.dtype)
    heads = torch.stack([c * sides, -c * sides]).exp()
    heads = heads / heads.sum(-1, keepdim=True)
    return hat @ (heads[1] - heads[0])


def in_closed_form(bits, c):
    """Right: what the steps come to."""
    n = bits.shape[-1]
    evens, odds = n // 2 + 1, (n + 1) // 2
    low = math.exp(c) * evens + math.exp(-c) * odds  # what the even head divides by
    high = math.exp(-c) * evens + math.exp(c) * odds
    odd = bits.sum(-1) % 2 == 1
    up, down = math.exp(c) / high - math.exp(-c) / low, math.exp(-c) / high - math.exp(c) / low
    return (down + (up - down) * odd.to(bits.dtype)) / (n + 1)


WRONG = [
    # a hat in place of three ReLUs, one half too narrow
    (
        lambda bits, c: right(bits, c) / 2,
        "The largest difference is at string",
    ),
    # c squared
    (lambda bits, c: right(bits, c * c), "it should be"),
    # scores divided by something once more
    (lambda bits, c: right(bits, c / math.sqrt(2)), "it should be"),
    # the mean over all strings
    (lambda bits, c: right(bits, c).mean(), "Your output has shape (), it should have (1,)"),
    # all ones of the batch together
    (lambda bits, c: right(bits.mean(0, keepdim=True).expand_as(bits), c), "its logit should be"),
    # ties are broken: the majority
    (lambda bits, c: bits.mean(-1) - 0.5, "its logit should be above 0"),
    # always odd
    (lambda bits, c: right(bits, c).abs(), "its logit should be below 0"),
    # the last bit decides
    (lambda bits, c: right(bits, c).abs() * (2 * bits[:, -1] - 1), "its logit should be"),
    # in float32
    (lambda bits, c: right(bits.float(), c), "Your output is float32, the inputs are float64"),
    # as True and False
    (lambda bits, c: right(bits, c) > 0, "Your output should hold floating-point numbers, it holds bool"),
    # two logits
    (lambda bits, c: torch.stack([-right(bits, c), right(bits, c)], -1), "Your output has shape (1, 2)"),
    (lambda bits, c: None, "Your function returns None."),
]

RIGHT = [right, whole_maps, in_closed_form]
