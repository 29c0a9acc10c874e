"""Answers to scaling.jacobian: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def jacobian_by_loop(weights):
    """For one row only."""
    n = len(weights)
    return torch.stack([torch.stack([weights[i] * ((i == j) - weights[j]) for j in range(n)]) for i in range(n)])


def jacobian_by_autograd(weights):
    """Differentiates the softmax of the logarithms, as nobody asked."""
    return torch.autograd.functional.jacobian(lambda s: s.softmax(-1), weights.log())


def by_backward(weights):
    """The same with backward, one row at a time."""
    s = weights.detach().log().requires_grad_()
    rows = []
    for i in range(s.shape[-1]):
        s.grad = None
        s.softmax(-1)[..., i].sum().backward()
        rows.append(s.grad.clone())
    return torch.stack(rows, -2)


WRONG = [
    (jacobian_by_loop, "Subtraction, the `-` operator, with a bool tensor is not"),
    (jacobian_by_autograd, "Your answer calls torch's jacobian. This exercise is to be"),
    (by_backward, "Your answer calls torch's backward. This exercise is to be"),
    # torch.func does it
    (
        lambda w: torch.func.jacrev(lambda s: s.softmax(-1))(w.log()),
        "Your answer calls torch's jacrev. This exercise is to be",
    ),
    # diag makes a matrix of a vector only
    (lambda w: torch.diag(w) - w[..., :, None] * w[..., None, :], "right with fewer leading axes"),
    # the diagonal twice
    (
        lambda w: torch.diag_embed(w * (1 - w)) - w[..., :, None] * w[..., None, :],
        "Adding the same number to every score changes no weight, so",
    ),
    # the identity for the diagonal of p
    (
        lambda w: torch.eye(w.shape[-1], dtype=w.dtype) - w[..., :, None] * w[..., None, :],
        "Adding the same number to every score changes no weight, so",
    ),
    # p_i (δ_ij − p_i)
    (
        lambda w: w[..., :, None] * (torch.eye(w.shape[-1], dtype=w.dtype) - w[..., :, None]),
        "Adding the same number to every score changes no weight, so",
    ),
    # the derivative of the logarithm of softmax
    (
        lambda w: torch.eye(w.shape[-1], dtype=w.dtype) - w[..., None, :].expand(*w.shape, w.shape[-1]),
        "it should be -0.1187, yours is -0.8623",
    ),
    # softmax once more
    (
        lambda w: torch.diag_embed(w.softmax(-1)) - w.softmax(-1)[..., :, None] * w.softmax(-1)[..., None, :],
        "it should be -0.1187, yours is -0.2199",
    ),
    # summed over the batch
    (lambda w: torch.diag_embed(w) - torch.einsum("...i,...j->ij", w, w), "right with fewer leading axes"),
]

RIGHT = [
    lambda w: w.unsqueeze(-1) * (torch.eye(w.shape[-1]) - w.unsqueeze(-2)),
    lambda w: (
        torch.einsum("...i,ij->...ij", w, torch.eye(w.shape[-1]).double()) - torch.einsum("...i,...j->...ij", w, w)
    ),
]
