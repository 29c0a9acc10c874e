"""Answers to visibility.leaks: wrong ones, each with a part of what the check says, and right ones in other words."""

import numpy
import torch


def leaks_by(change, n=None, atol=1e-9, compare=lambda a, b, cut: (a[..., :cut, :], b[..., :cut, :])):
    def leaks(model, x):
        before = model(x)
        for cut in range(1, n or x.shape[-2]):
            a, b = compare(model(change(x.clone(), cut)), before, cut)
            if not torch.allclose(a, b, atol=atol, rtol=0):
                return True
        return False

    return leaks


def noise(x, cut):
    x[..., cut:, :] = torch.randn_like(x[..., cut:, :])
    return x


def reversed_rest(x, cut):
    x[..., cut:, :] = x[..., cut:, :].flip(-2)
    return x


def only_next(x, cut):
    x[..., cut, :] += 1
    return x


def first_sentence(x, cut):
    x[0, cut:] += 1
    return x


def leaks_in_place(model, x):
    before = model(x)
    x[..., -1, :] += 1
    return not torch.allclose(model(x)[..., :-1, :], before[..., :-1, :])


def leaks_by_gradient(model, x):
    """Right: the gradient of an early output with respect to a later token is zero."""
    x = x.detach().clone().requires_grad_()
    out = model(x)
    for i in range(x.shape[-2] - 1):
        (grad,) = torch.autograd.grad(out[..., i, :].sum(), x, retain_graph=True)
        if grad[..., i + 1 :, :].abs().max() > 1e-12:
            return True
    return False


def leaks_by_cutting(model, x):
    """Right: a causal model gives the same outputs for a shorter text."""
    whole = model(x)
    return any(not torch.allclose(model(x[..., :n, :]), whole[..., :n, :]) for n in range(1, x.shape[-2]))


WRONG = [
    (leaks_in_place, "Your function changes x in place, and whoever passed it will be"),
    # the rest is only put in another order
    (leaks_by(reversed_rest), "Your answer is False, it should be True."),
    # eight tokens, typed in
    (leaks_by(noise, n=8), "Your answer is False, it should be True."),
    # tolerant: small leaks pass
    (leaks_by(noise, atol=0.1), "Your answer is False, it should be True."),
    # the first number of each token only
    (
        leaks_by(noise, compare=lambda a, b, cut: (a[..., :cut, 0], b[..., :cut, 0])),
        "Your answer is False, it should be True.",
    ),
    # the future is compared, not the past
    (
        leaks_by(noise, compare=lambda a, b, cut: (a[..., cut:, :], b[..., cut:, :])),
        "You find a leak in every model, honest ones too. A changed",
    ),
    # inputs compared with outputs
    (
        lambda model, x: not torch.allclose(model(x), x),
        "You find a leak in every model, honest ones too. A changed",
    ),
    # the size of the difference
    (
        lambda model, x: (model(noise(x.clone(), 1)) - model(x))[..., :1, :].abs().max().item(),
        "Your function should return True or False, it returned a",
    ),
    # batches only
    (leaks_by(first_sentence), "Your answer is True, it should be False."),
    # trust
    (lambda model, x: False, "You find no leak in any model, not even in one without a mask."),
    # one, not True
    (lambda model, x: 1, "Your function should return True or False, it returned a"),
]

RIGHT = [
    leaks_by_gradient,
    leaks_by_cutting,
    leaks_by(only_next),
    lambda model, x: numpy.bool_(leaks_by_cutting(model, x)),
    lambda model, x: (
        torch.stack(
            [(model(noise(x.clone(), c)) - model(x))[..., :c, :].abs().max() for c in range(1, x.shape[-2])]
        ).max()
        > 1e-9
    ),
]
