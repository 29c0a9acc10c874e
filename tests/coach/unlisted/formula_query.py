"""Answers to formula.query: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def target(keys, wanted, size=1000.0):
    return size * torch.eye(len(keys), dtype=keys.dtype)[wanted]


def by_descent(keys, wanted):
    """Let an optimiser find the query."""
    query = torch.zeros(keys.shape[-1], dtype=keys.dtype, requires_grad=True)
    directions = keys / keys.norm(dim=-1, keepdim=True)
    optimiser = torch.optim.Adam([query], lr=1.0)
    for _ in range(200):
        optimiser.zero_grad()
        s = directions @ query
        (s.logsumexp(0) - s[wanted] + 0 * s.sum()).backward()
        optimiser.step()
    return query.detach() * 1000 / keys.norm(dim=-1).min()


WRONG = [
    # a one-hot vector: right if keys are the axes
    (
        lambda keys, wanted: 100 * torch.eye(keys.shape[-1], dtype=keys.dtype)[wanted],
        "Key 0 should get at least 0.99 of the attention, it gets 0.00:",
    ),
    # always the first
    (
        lambda keys, wanted: torch.linalg.pinv(keys) @ target(keys, 0),
        "Key 2 should get at least 0.99 of the attention, it gets 0.00:",
    ),
    # a square system only
    (
        lambda keys, wanted: torch.linalg.solve(keys, target(keys, wanted)),
        "linalg.solve: A must be batches of square matrices, but they",
    ),
    # the whole inverse
    (lambda keys, wanted: 1000 * torch.linalg.pinv(keys), "Your output has shape (2, 2), it should have (2,)."),
    # wanted counted from one
    (
        lambda keys, wanted: torch.linalg.pinv(keys) @ target(keys, wanted - 1),
        "Key 0 should get at least 0.99 of the attention, it gets 0.00:",
    ),
    # minus: away from it
    (
        lambda keys, wanted: torch.linalg.pinv(keys) @ target(keys, wanted, -1000.0),
        "Key 0 should get at least 0.99 of the attention, it gets 0.00:",
    ),
    # so long that nothing is left of it
    (lambda keys, wanted: math.inf * keys[wanted], "Your output has NaN at 1 of 2 places."),
    # the key divided by its square length, times ten
    (
        lambda keys, wanted: 10 * keys[wanted] / keys[wanted].norm() ** 2,
        "A long copy of the wanted key works while keys stand at right",
    ),
    # away from the sum of the others
    (
        lambda keys, wanted: 100 * (2 * keys[wanted] - keys.sum(0)),
        "Key 0 should get at least 0.99 of the attention, it gets 0.00:",
    ),
    # the transpose for the inverse
    (
        lambda keys, wanted: keys.T @ target(keys, wanted),
        "A long copy of the wanted key works while keys stand at right",
    ),
    # the index, not the query
    (lambda keys, wanted: wanted, "Your function should return a torch tensor, it returned a"),
]

RIGHT = [
    by_descent,
    lambda keys, wanted: 1e5 * torch.linalg.pinv(keys)[:, wanted].float(),
    lambda keys, wanted: 1e6 * keys.T @ torch.linalg.inv(keys @ keys.T)[wanted],
]
