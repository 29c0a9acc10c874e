"""Answers to rank-collapse.iterate: wrong ones, each with a part of what is said, and right ones in other words."""

import math

import torch


def left(x):
    return (x - x.mean(0)).norm() / x.norm()


def layer(x, w_q, w_k, w_v):
    return ((x @ w_q) @ (x @ w_k).T / math.sqrt(x.shape[1])).softmax(-1) @ (x @ w_v)


def states(x, w_q, w_k, w_v):
    found = [x]
    for weights in zip(w_q, w_k, w_v, strict=True):
        found.append(layer(found[-1], *weights))
    return torch.stack(found)


def right(x, w_q, w_k, w_v):
    return torch.stack([left(state) for state in states(x, w_q, w_k, w_v)])


def all_at_once(x, w_q, w_k, w_v):
    """Right: the states first, then one line for all."""
    s = states(x, w_q, w_k, w_v)
    return (s - s.mean(1, keepdim=True)).flatten(1).norm(dim=1) / s.flatten(1).norm(dim=1)


def by_pythagoras(x, w_q, w_k, w_v):
    """Right: what is left and what is common are at right angles. (Exact enough where both are of a size.)"""
    found = []
    for s in states(x, w_q, w_k, w_v):
        own = s - s.mean(0)
        found.append((own.square().sum() / (own.square().sum() + len(s) * s.mean(0).square().sum())).sqrt())
    return torch.stack(found)


WRONG = [
    # the start forgotten
    (lambda *a: right(*a)[1:], "Your output has shape (1,), it should have (2,): (…, layer)"),
    # the last layer forgotten
    (lambda x, q, k, v: right(x, q[:-1], k[:-1], v[:-1]), "Your output has shape (1,), it should have (2,)"),
    # the states themselves
    (states, "Your output has shape (2, 2, 2), it should have (2,): (…, layer)"),
    # a list
    (lambda *a: right(*a).tolist(), "it returned a list"),
    # the variance for the mean square
    (lambda *a: torch.stack([s.std(0).norm() / s.norm() for s in states(*a)]), "2 layers, 3 tokens, 3 features"),
    # the norm of the proof
    (
        lambda *a: torch.stack(
            [torch.linalg.matrix_norm(s - s.mean(0), 1) / torch.linalg.matrix_norm(s, 1) for s in states(*a)]
        ),
        "1 layer, 2 tokens, 2 features",
    ),
    # scaled by the number of tokens
    (
        lambda x, q, k, v: right(x, q * math.sqrt(x.shape[1] / x.shape[0]), k, v),
        "3 layers, 4 tokens, 5 features; sharp",
    ),
    # nothing but the first layer, again and again
    (
        lambda x, q, k, v: right(x, q[:1].expand_as(q), k[:1].expand_as(k), v[:1].expand_as(v)),
        "2 layers, 3 tokens, 3 features",
    ),
    # causal
    (
        lambda x, q, k, v: torch.stack(
            [left(x)]
            + [
                left(
                    x := (
                        ((x @ a) @ (x @ b).T / math.sqrt(x.shape[1]))
                        .masked_fill(~torch.ones(len(x), len(x)).tril().bool(), -math.inf)
                        .softmax(-1)
                        @ (x @ c)
                    )
                )
                for a, b, c in zip(q, k, v, strict=True)
            ]
        ),
        "1 layer, 2 tokens, 2 features",
    ),
]

RIGHT = [right, all_at_once, by_pythagoras]
