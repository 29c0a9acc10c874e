"""Answers to rank-collapse.starve: wrong ones, each with a part of what is said, and right ones in other words."""

import torch


def gradients(loss, *weights):
    own = [w.detach().clone().requires_grad_() for w in weights]
    return torch.autograd.grad(loss(*own), own)


def ratio(above, below):
    return torch.where(below > 0, above / below.where(below > 0, 1), 0)


def right(loss, w_q, w_k, w_v):
    q, k, v = gradients(loss, w_q, w_k, w_v)
    return ratio((q.square() + k.square()).sum((1, 2)).sqrt(), v.square().sum((1, 2)).sqrt())


def functional(loss, w_q, w_k, w_v):
    """Right: with torch.func."""
    q, k, v = torch.func.grad(lambda w: loss(*w))((w_q, w_k, w_v))
    return ratio(torch.hypot(q.flatten(1).norm(dim=1), k.flatten(1).norm(dim=1)), v.flatten(1).norm(dim=1)).detach()


def into_copies(loss, w_q, w_k, w_v):
    """Right: backward, but only into the weights' own copies."""
    own = [w.detach().clone().requires_grad_() for w in (w_q, w_k, w_v)]
    loss(*own).backward(inputs=own)
    q, k, v = (w.grad for w in own)
    return ratio(torch.cat([q, k], 1).flatten(1).norm(dim=1), v.flatten(1).norm(dim=1))


def layer_by_layer(loss, w_q, w_k, w_v):
    """Right: one layer at a time."""
    found = []
    for q, k, v in zip(*gradients(loss, w_q, w_k, w_v), strict=True):
        found.append(
            (q.norm() ** 2 + k.norm() ** 2).sqrt() / v.norm() if v.norm() > 0 else torch.zeros((), dtype=q.dtype)
        )
    return torch.stack(found)


def of(join):
    return lambda loss, *weights: join(*gradients(loss, *weights))


def norm(g):
    return g.flatten(1).norm(dim=1)


def on_the_weights(loss, *weights):
    """The gradients are left on the weights that were given, and inside the loss."""
    for w in weights:
        w.requires_grad_()
    loss(*weights).backward()
    q, k, v = (w.grad for w in weights)
    return ratio(norm(torch.cat([q, k], 1)), norm(v)).detach()


WRONG = [
    (on_the_weights, "`backward()` fills the `.grad` of everything on its way"),
    # the mean of both norms
    (of(lambda q, k, v: ratio((norm(q) + norm(k)) / 2, norm(v))), "1 layer, 3 tokens, 2 features"),
    # the root of the mean of both squares
    (
        of(lambda q, k, v: ratio(((norm(q) ** 2 + norm(k) ** 2) / 2).sqrt(), norm(v))),
        "1 layer, 3 tokens, 2 features",
    ),
    # beside all three
    (
        of(lambda q, k, v: ratio(norm(torch.cat([q, k], 1)), norm(torch.cat([q, k, v], 1)))),
        "1 layer, 3 tokens, 2 features",
    ),
    # sums of absolute values
    (
        of(lambda q, k, v: ratio(q.abs().sum((1, 2)) + k.abs().sum((1, 2)), v.abs().sum((1, 2)))),
        "1 layer, 3 tokens, 2 features",
    ),
    # gradients by weights
    (
        lambda loss, q, k, v: ratio(
            norm(torch.cat([(g := gradients(loss, q, k, v))[0] / q.norm(), g[1] / k.norm()], 1)), norm(g[2] / v.norm())
        ),
        "1 layer, 3 tokens, 2 features",
    ),
    # one number
    (
        of(lambda q, k, v: torch.cat([q, k]).norm() / v.norm()),
        "Your output has shape (), it should have (1,): (…, layer)",
    ),
    # weights that want no gradient
    (lambda loss, *w: norm(torch.autograd.grad(loss(*w), w)[0]), "Your function raised RuntimeError"),
    # a small number below the line
    (
        of(lambda q, k, v: norm(torch.cat([q, k], 1)) / (norm(v) + 1e-3)),
        "1 layer, 3 tokens, 2 features",
    ),
    # the layers in reverse
    (lambda *a: right(*a).flip(0), "2 layers, 3 tokens, 2 features"),
    # infinity for nothing
    (
        of(lambda q, k, v: torch.where(norm(v) > 0, norm(torch.cat([q, k], 1)) / norm(v), torch.inf)),
        "2 layers, of which the second is silent",
    ),
]

RIGHT = [right, functional, into_copies, layer_by_layer]
