"""Answers to order.equivariant: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def by(orders, atol=1e-9, moved=lambda out, order: out[..., order, :], tokens=lambda x, order: x[..., order, :]):
    def equivariant(model, x):
        before = model(x)
        for order in orders(x.shape[-2]):
            if not torch.allclose(model(tokens(x, order)), moved(before, order), rtol=0, atol=atol):
                return False
        return True

    return equivariant


def random_orders(n, count=12):
    rng = torch.Generator().manual_seed(11)
    return [torch.randperm(n, generator=rng) for _ in range(count)]


def neighbours(n):
    """Enough: every order is made of exchanges of neighbours."""
    return [torch.tensor([*range(a), a + 1, a, *range(a + 2, n)]) for a in range(n - 1)]


def six(n):
    return [order for order in random_orders(6)]


def in_place(model, x):
    before = model(x).clone()
    x.copy_(x.flip(-2))
    return torch.allclose(model(x), before.flip(-2))


def by_matrix(model, x):
    """Right: with permutation matrices."""
    before = model(x)
    for order in random_orders(x.shape[-2]):
        p = torch.eye(x.shape[-2], dtype=x.dtype)[order]
        if (model(p @ x) - p @ before).abs().max() > 1e-9:
            return False
    return True


WRONG = [
    (in_place, "Your function changes x in place, and whoever passed it will be"),
    # tolerant: faint positions pass
    (by(random_orders, atol=1e-2), "Your answer is True, it should be False."),
    # six tokens, typed in
    (by(six), "Your function raised IndexError"),
    # the first axis is turned round: the tokens, where there is no batch
    (
        lambda model, x: torch.allclose(model(x.flip(0)), model(x).flip(0)),
        "You tried one order, the reverse.",
    ),
    # the last two exchanged
    (by(lambda n: [[*range(n - 2), n - 1, n - 2]]), "Your answer is True, it should be False."),
    # trust
    (lambda model, x: True, "Your answer is True, it should be False."),
    # distrust
    (lambda model, x: False, "it should be True."),
    # the size of the difference
    (
        lambda model, x: (model(x.flip(-2)) - model(x).flip(-2)).abs().max().item(),
        "Your function should return True or False, it returned a",
    ),
    # inputs against outputs
    (lambda model, x: torch.allclose(model(x), x), "Your answer is False, it should be True."),
]

RIGHT = [
    by_matrix,
    by(random_orders),
    by(neighbours),
    lambda model, x: all(
        bool(((model(x[..., order, :])[..., order.argsort(), :] - model(x)).abs() < 1e-9).all())
        for order in random_orders(x.shape[-2])
    ),
]
