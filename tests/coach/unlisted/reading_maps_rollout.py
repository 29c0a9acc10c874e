"""Answers to reading-maps.rollout: wrong ones, each with a part of what is said, and right ones in other words."""

import functools

import torch


def steps_of(maps, residual=1.0):
    steps = maps.mean(dim=1) + residual * torch.eye(maps.shape[-1], dtype=maps.dtype)
    return steps / steps.sum(-1, keepdim=True)


def right(maps, residual=1.0):
    reach = torch.eye(maps.shape[-1], dtype=maps.dtype)
    for step in steps_of(maps, residual):
        reach = step @ reach
    return reach


def downwards(maps):
    """Right: from the top down, multiplied on the right."""
    first, *rest = steps_of(maps).flip(0)
    return functools.reduce(torch.matmul, rest, first)


def token_by_token(maps):
    """Right: what each token of the input gives, pushed upwards as a column."""
    columns = []
    for j in range(maps.shape[-1]):
        mass = torch.zeros(maps.shape[-1], dtype=maps.dtype)
        mass[j] = 1
        for a in maps:
            share = a.mean(0)
            mass = (share @ mass + mass) / (share.sum(-1) + 1)
        columns.append(mass)
    return torch.stack(columns, dim=-1)


def in_place(maps):
    maps += torch.eye(maps.shape[-1], dtype=maps.dtype)
    return right(maps)


WRONG = [
    (in_place, "Your function changes maps in place"),
    # the result turned round
    (lambda maps: right(maps).mT, "A token's shares should add up to one, in a rollout as in a map"),
    # the identity added once, at the end
    (
        lambda maps: (functools.reduce(lambda r, a: a @ r, maps.mean(1)) + torch.eye(maps.shape[-1])) / 2,
        "The case: 2 layers, 1 head, 2 tokens.",
    ),
    # less weight for the residual
    (lambda maps: right(maps, residual=0.5), "The largest difference is at query"),
    # all layers' results
    (lambda maps: steps_of(maps), "Your output has shape (1, 2, 2), it should have (2, 2): (…, query, key)"),
    # the heads kept
    (
        lambda maps: torch.stack([right(maps[:, h : h + 1]) for h in range(maps.shape[1])]),
        "Your output has shape (1, 2, 2), it should have (2, 2)",
    ),
    # one layer left out at the end
    (lambda maps: right(maps[:-1]), "The largest difference is at query"),
    # the layer axis averaged away, then the heads multiplied
    (lambda maps: right(maps.transpose(0, 1)), "The largest difference is at query"),
    # the strongest head, and rows as they come
    (
        lambda maps: functools.reduce(
            lambda r, a: (a + torch.eye(len(a))) / 2 @ r, maps.amax(1), torch.eye(maps.shape[-1]).double()
        ),
        "A token's shares should add up to one",
    ),
    # logarithms added: cell by cell again
    (lambda maps: steps_of(maps).log().sum(0).exp(), "The layers were multiplied cell by cell"),
    # a softmax over the result
    (lambda maps: right(maps).softmax(-1), "The largest difference is at query"),
    # single precision
    (lambda maps: right(maps.float()), "Your output is float32, the inputs are float64"),
]

RIGHT = [
    right,
    downwards,
    token_by_token,
    lambda maps: torch.linalg.multi_dot([*steps_of(maps).flip(0), torch.eye(maps.shape[-1]).double()]),
]
