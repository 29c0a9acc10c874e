"""Answers to rank-collapse.share: wrong ones, each with a part of what is said, and right ones in other words."""

import torch


def centred(a):
    return a - a.mean(-2, keepdim=True)


def right(a):
    return torch.linalg.svdvals(centred(a))[..., 0]


def by_norm(a):
    """Right: the spectral norm."""
    return torch.linalg.matrix_norm(centred(a), 2)


def by_eigenvalue(a):
    """Right: the root of the largest eigenvalue of the square."""
    m = centred(a)
    return torch.linalg.eigvalsh(m @ m.mT)[..., -1].clamp(min=0).sqrt()


def both_sides(a):
    """Right: the mean taken away before and after."""
    n = a.shape[-1]
    c = torch.eye(n, dtype=a.dtype) - 1 / n
    return torch.linalg.svdvals(c @ a @ c)[..., 0]


WRONG = [
    # one number for all maps
    (lambda a: right(a).mean(), "Your output has shape (), it should have (2, 3): (…, head)"),
    # all singular values
    (lambda a: torch.linalg.svdvals(centred(a)), "Your output has shape (2,), it should have ()"),
    # the mean taken away before, not after
    (
        lambda a: torch.linalg.svdvals(a @ (torch.eye(a.shape[-1], dtype=a.dtype) - 1 / a.shape[-1]))[..., 0],
        "You took 1/n away",
    ),
    # the largest sum of a row
    (lambda a: centred(a).abs().sum(-1).amax(-1), "The case: 4 tokens that copy two, each of them twice"),
    # the largest entry
    (lambda a: centred(a).abs().amax((-2, -1)), "2 tokens: rows ¾ ¼ and ½ ½"),
    # never more than one
    (lambda a: right(a).clamp(max=1.0), "4 tokens that copy two, each of them twice"),
    # the second of what is left
    (lambda a: torch.linalg.svdvals(centred(a))[..., 1], "2 tokens: rows ¾ ¼ and ½ ½"),
    # what random tokens lose on average
    (lambda a: centred(a).square().sum((-2, -1)).div(a.shape[-1] - 1).sqrt(), "4 tokens that copy two"),
    # one minus the largest column
    (lambda a: 1 - a.sum(-2).amax(-1) / a.shape[-1], "2 tokens: rows ¾ ¼ and ½ ½"),
    # in single precision
    (lambda a: right(a.float()), "Your output is float32, the inputs are float64"),
]

RIGHT = [right, by_norm, by_eigenvalue, both_sides]
