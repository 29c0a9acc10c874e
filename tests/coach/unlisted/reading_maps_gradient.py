"""Answers to reading-maps.gradient: wrong ones, each with a part of what is said, and right ones in other words."""

import torch


def gained(weights, values, readout):
    a = weights.detach().clone().requires_grad_()
    return torch.autograd.grad(readout(a @ values), a)[0]


def right(weights, values, readout):
    return torch.relu(weights * gained(weights, values, readout)).mean(dim=1)


def clamped_first(weights, values, readout):
    """Right, since weights are never negative: what the answer gains, cut off before the product."""
    return torch.einsum("bhij,bhij->bij", weights, gained(weights, values, readout).clamp(min=0)) / weights.shape[1]


def by_hand(weights, values, readout):
    """Right: the gradient of the output, and the product rule for the rest; nothing of it stays."""
    output = (weights @ values).detach().requires_grad_()
    (of_output,) = torch.autograd.grad(readout(output), output)
    return (weights * (of_output @ values.mT)).clamp(min=0).mean(1).detach()


def backward_into_one(weights, values, readout):
    """Right: backward, but only into the weights' own copy."""
    a = weights.detach().clone().requires_grad_()
    readout(a @ values).backward(inputs=[a])
    return (a * a.grad).detach().clamp(min=0).mean(1)


def functional(weights, values, readout):
    """Right: with torch.func."""
    return (weights * torch.func.grad(lambda a: readout(a @ values))(weights)).clamp(min=0).mean(1)


def wants_no_gradient(weights, values, readout):
    return torch.autograd.grad(readout(weights @ values), weights)[0]


def nudged(weights, values, readout):
    """The gradient by small steps, too coarse."""
    out, base = torch.zeros_like(weights), readout(weights @ values)
    for at in range(weights.numel()):
        moved = weights.clone()
        moved.view(-1)[at] += 0.01
        out.view(-1)[at] = (readout(moved @ values) - base) / 0.01
    return (weights * out).clamp(min=0).mean(1)


WRONG = [
    # weights that want no gradient
    (wants_no_gradient, "does not require grad"),
    # a coarse difference: right where the readout is linear
    (nudged, "2 heads, 3 queries, 4 keys; every query counts, with a tanh"),
    # the gradient without grad: the graph is cut
    (
        lambda w, v, r: torch.autograd.grad(r((w.clone().requires_grad_() @ v).detach()), w)[0],
        "Your function raised RuntimeError",
    ),
    # summed over the batch
    (lambda w, v, r: right(w, v, r).sum(0), "Your output has shape (2, 2), it should have (1, 2, 2): (…, query, key)"),
    # averaged over the queries
    (
        lambda w, v, r: (w * gained(w, v, r)).clamp(min=0).mean(2),
        "Your output has shape (1, 1, 2), it should have (1, 2, 2): (…, query, key)",
    ),
    # the strongest head
    (lambda w, v, r: (w * gained(w, v, r)).clamp(min=0).amax(1), "2 heads, 2 queries, 3 keys; the same answer"),
    # rows made to sum to one
    (lambda w, v, r: (m := right(w, v, r)) / m.sum(-1, keepdim=True), "has NaN"),
    # squared
    (lambda w, v, r: (w * gained(w, v, r)).square().mean(1), "The largest difference is at query"),
    # the output's gradient on the outputs
    (
        lambda w, v, r: torch.autograd.grad(r(o := (w @ v).requires_grad_()), o)[0],
        "it should have (1, 2, 2): (…, query, key)",
    ),
    # the batch and the heads exchanged
    (
        lambda w, v, r: (w * gained(w, v, r)).clamp(min=0).mean(0),
        "2 heads, 2 queries, 3 keys; the same answer",
    ),
    # the last query's row alone
    (
        lambda w, v, r: right(w, v, r) * (torch.arange(w.shape[-2]) == w.shape[-2] - 1)[:, None],
        "2 heads, 3 queries, 4 keys; every query counts, with a tanh",
    ),
    # backward, and only the weights' own gradient taken away
    (
        lambda w, v, r: (
            (a := w.clone().requires_grad_()),
            r(a @ v).backward(),
            (w * a.grad).clamp(min=0).mean(1),
        )[-1],
        "`backward()` fills the `.grad` of everything on its way",
    ),
]

RIGHT = [right, clamped_first, by_hand, backward_into_one, functional]
