"""Answers to entropy-collapse.sigma: wrong ones, each with a part of what is said, and right ones in other words."""

import torch
import torch.nn.functional as F

from attn_course.attention.options import SigmaReparam


def under_no_grad(w, gamma, u, steps):
    """Right: the loop under no_grad, σ after it."""
    with torch.no_grad():
        for _ in range(steps):
            v = F.normalize(w.T @ u, dim=0)
            u = F.normalize(w @ v, dim=0)
    return w * (gamma / (u @ (w @ v)))


def as_outer_product(w, gamma, u, steps):
    """Right: σ = ⟨W, u vᵀ⟩."""
    fixed = w.detach()
    for _ in range(steps):
        v = u.detach() @ fixed
        v = v / torch.linalg.vector_norm(v)
        u = fixed @ v
        u = u / torch.linalg.vector_norm(u)
    return gamma * w / (w * torch.outer(u, v)).sum()


def in_place(w, gamma, u, steps):
    u.div_(u.norm())
    return under_no_grad(w, gamma, u, steps)


def random_start(w, gamma, u, steps):
    return under_no_grad(w, gamma, torch.randn_like(u), steps)


WRONG = [
    # a start of its own
    (random_start, "singular values 2 and 1"),
    # always ones
    (lambda w, gamma, u, steps: under_no_grad(w, gamma, torch.ones_like(u), steps), "2 × 2, 1 step"),
    # many more steps than asked
    (lambda w, gamma, u, steps: under_no_grad(w, gamma, u, 50), "singular values 2 and 1"),
    # the largest entry
    (lambda w, gamma, u, steps: gamma * w / w.abs().max(), "singular values 2 and 1"),
    # the singular value, not the weight
    (
        lambda w, gamma, u, steps: gamma * under_no_grad(w, gamma, u, steps)[0, 0] / w[0, 0],
        "Your output has shape (), it should have (2, 2)",
    ),
    # sigma of the length of Wᵀu alone, half a step behind
    (
        lambda w, gamma, u, steps: gamma * w / (w.T @ F.normalize(u, dim=0)).norm(),
        "singular values 2 and 1",
    ),
    # no gradient at all
    (lambda w, gamma, u, steps: under_no_grad(w, gamma, u, steps).detach(), "no gradient flows back"),
    # none for gamma
    (lambda w, gamma, u, steps: under_no_grad(w, gamma.detach(), u, steps), "no gradient reaches gamma"),
    # none for w
    (
        lambda w, gamma, u, steps: under_no_grad(w.detach(), gamma, u, steps),
        "no gradient reaches w",
    ),
    # the size of gamma
    (lambda w, gamma, u, steps: under_no_grad(w, gamma.abs(), u, steps), "4 × 5, 2 steps, gamma −1.5"),
    (in_place, "Your function changes u in place"),
    # torch's own
    (
        lambda w, gamma, u, steps: gamma * w / torch.linalg.matrix_norm(w, 2),
        "Your answer calls torch's",
    ),
    # the package's own
    (lambda w, gamma, u, steps: SigmaReparam(w)(w) * gamma, "Your answer calls"),
]

RIGHT = [under_no_grad, as_outer_product]
