"""Answers to entropy-collapse.clip: wrong ones, each with a part of what is said, and right ones in other words."""

import math

import torch

from attn_course.attention import attention_scores, causal
from attn_course.attention.heads import split


def by_split(x, w_q, w_k, heads, tau, gamma=lambda most, tau: (tau / most).clamp(max=1)):
    """Right: scores of all heads at once; a largest score of 0 or less asks for nothing."""
    d = w_q.shape[1] // heads
    q, k = ((x @ w).view(*x.shape[:2], heads, d).transpose(1, 2) for w in (w_q, w_k))
    n = x.shape[1]
    scores = (q @ k.mT / d**0.5)[..., torch.ones(n, n).tril().bool()]  # (batch, head, visible pair)
    most = scores.amax((0, 2)).clamp(min=1e-300)
    root = gamma(most, tau).sqrt()[:, None]
    return torch.stack([(w.unflatten(1, (heads, d)) * root).flatten(1) for w in (w_q, w_k)])


def head_by_head(x, w_q, w_k, heads, tau):
    """Right: columns of one head after those of another."""
    pieces = []
    for a, b in zip(w_q.chunk(heads, 1), w_k.chunk(heads, 1), strict=True):
        s = (x @ a) @ (x @ b).mT / math.sqrt(a.shape[1])
        most = max(row[: i + 1].max().item() for each in s for i, row in enumerate(each))
        root = math.sqrt(tau / most) if most > tau else 1.0
        pieces.append(torch.stack([a * root, b * root]))
    return torch.cat(pieces, dim=2)


def in_place(x, w_q, w_k, heads, tau):
    out = by_split(x, w_q, w_k, heads, tau)
    w_q.copy_(out[0])
    w_k.copy_(out[1])
    return out


def packages_own(x, w_q, w_k, heads, tau):
    most = attention_scores(split(x @ w_q, heads), split(x @ w_k, heads), causal).amax((0, 2, 3))
    root = (tau / most).clamp(max=1).sqrt().repeat_interleave(w_q.shape[1] // heads)
    return torch.stack([w_q * root, w_k * root])


WRONG = [
    # both as a tuple
    (
        lambda *a: tuple(by_split(*a)),
        "Your function should return a torch tensor, it returned a tuple",
    ),
    # side by side
    (lambda *a: torch.cat(tuple(by_split(*a)), dim=1), "it should have (2, 3, 2)"),
    # keys first
    (lambda *a: by_split(*a).flip(0), "The case: 1 head above tau"),
    # only just below tau
    (
        lambda *a: by_split(*a, gamma=lambda most, tau: (0.9 * tau / most).clamp(max=1)),
        "The largest difference is at matrix",
    ),
    # nothing done
    (lambda x, w_q, w_k, heads, tau: torch.stack([w_q, w_k]), "with your weights: above tau"),
    # a fourth root
    (
        lambda *a: by_split(*a, gamma=lambda most, tau: (tau / most).clamp(max=1).sqrt()),
        "with your weights: above tau",
    ),
    # every head that is not at tau is brought there
    (
        lambda *a: by_split(*a, gamma=lambda most, tau: tau / most),
        "",
    ),
    # queries and keys given the length that tau allows
    (
        lambda x, w_q, w_k, heads, tau: torch.stack([w * math.sqrt(tau) / w.norm() for w in (w_q, w_k)]),
        "The case:",
    ),
    # the mean of the scores
    (
        lambda x, w_q, w_k, heads, tau: (
            torch.stack([w_q, w_k]) * min(1.0, abs(tau / ((x @ w_q) @ (x @ w_k).mT).mean().item())) ** 0.5
        ),
        "The case:",
    ),
    (in_place, "Your function changes w_q in place"),
    (packages_own, "Your answer calls the course's own"),
]

RIGHT = [by_split, head_by_head]
