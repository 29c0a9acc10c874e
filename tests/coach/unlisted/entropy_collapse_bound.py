"""Answers to entropy-collapse.bound: wrong ones, each with a part of what is said, and right ones in other words."""

import math

import torch

from attn_course.diagnosis import vitals


def sigma_of(x, w_q, w_k):
    return (torch.linalg.matrix_norm(w_q @ w_k.T, 2) * torch.linalg.matrix_norm(x @ x.T, 2)).item() / w_q.shape[
        1
    ] ** 0.5


def as_printed(x, w_q, w_k, sigma=sigma_of):
    """Right: the theorem's two terms."""
    n, s = len(x), sigma(x, w_q, w_k)
    if n < 2:
        return 0.0
    beta = math.exp(-s * (n / (n - 1)) ** 0.5)
    return math.log1p((n - 1) * beta) + s * (n * (n - 1)) ** 0.5 * beta / (1 + (n - 1) * beta)


def of_two_shares(x, w_q, w_k):
    """Right: the favourite's share, and the entropy of a row in which the others are alike."""
    n, s = len(x), torch.tensor(sigma_of(x, w_q, w_k), dtype=torch.float64)
    if n == 1:
        return 0.0
    others = torch.cat([s[None] * (n / (n - 1)) ** 0.5, torch.zeros(n - 1, dtype=torch.float64)])
    log_p = others.log_softmax(0)
    return -(log_p.exp() * log_p).sum()


def row_by_row(x, w_q, w_k):
    """The lowest entropy there is, and no bound of it."""
    p = ((x @ w_q) @ (x @ w_k).T / w_q.shape[1] ** 0.5).softmax(-1)
    return -torch.special.xlogy(p, p).sum(-1).min()


def in_place(x, w_q, w_k):
    x.mul_(1.0).add_(1e-3)
    return as_printed(x, w_q, w_k)


WRONG = [
    # the entropy itself
    (row_by_row, "The case: 2 tokens, 2 features."),
    # the score's largest entry for σ
    (
        lambda *a: as_printed(*a, sigma=lambda x, w_q, w_k: ((x @ w_q) @ (x @ w_k).T).abs().max().item()),
        "The case:",
    ),
    # the largest entropy
    (lambda x, w_q, w_k: math.log(len(x)), "which is less than your bound"),
    # the sign turned round
    (lambda *a: -as_printed(*a), "Your bound is -0."),
    # the second term added twice
    (
        lambda x, w_q, w_k: 2 * as_printed(x, w_q, w_k) - math.log1p((len(x) - 1) * math.exp(-sigma_of(x, w_q, w_k))),
        "The case:",
    ),
    # one bound a row
    (
        lambda x, w_q, w_k: torch.full((len(x),), as_printed(x, w_q, w_k)),
        "Your function should return a number, it returned a tensor of shape (2,)",
    ),
    (in_place, "Your function changes x in place"),
    # the package's own entropy
    (
        lambda x, w_q, w_k: vitals.entropy((x @ w_q @ (x @ w_k).T)[None, None].softmax(-1)).min().item(),
        "Your answer calls the course's own entropy",
    ),
]

RIGHT = [as_printed, of_two_shares]
