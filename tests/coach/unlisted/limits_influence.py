"""Answers to limits.influence: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def right(model, bits):
    flipped = bits.repeat(len(bits), 1)
    flipped.diagonal().mul_(-1).add_(1)
    return (model(flipped) - model(bits[None])).norm(dim=-1)


def one_by_one(model, bits):
    """Right: place by place, on a copy."""
    found, before = [], model(bits[None])[0]
    for i in range(len(bits)):
        other = bits.clone()
        other[i] = 1 - other[i]
        found.append(torch.linalg.vector_norm(model(other[None])[0] - before))
    return torch.stack(found)


def put_back(model, bits):
    """Right: flipped and put back, in a copy."""
    work, found = bits.clone(), []
    before = model(bits.unsqueeze(0))
    for i in range(len(bits)):
        work[i] ^= 1
        found.append((model(work.unsqueeze(0)) - before).square().sum().sqrt())
        work[i] ^= 1
    return torch.stack(found)


def in_place(model, bits):
    found = []
    for i in range(len(bits)):
        before = model(bits[None])[0]
        bits[i] = 1 - bits[i]
        found.append((model(bits[None])[0] - before).norm())
    return torch.stack(found)


WRONG = [
    # between one flip and the next
    (
        lambda model, bits: (lambda out: (out - out.roll(1, 0)).norm(dim=-1))(
            model(bits[None] ^ torch.eye(len(bits), dtype=bits.dtype))
        ),
        "it should be 0.5, yours is 1",
    ),
    (in_place, "Your function changes bits in place"),
    # one number, the greatest
    (lambda model, bits: right(model, bits).max(), "Your output has shape (), it should have (2,)"),
    # their mean at every place
    (lambda model, bits: right(model, bits).mean().expand(len(bits)), "The largest difference is at place"),
    # a string without its batch
    (lambda model, bits: torch.stack([model(bits)[0] for _ in bits]), "Your function raised ValueError"),
    # signed
    (
        lambda model, bits: (model(bits[None] ^ torch.eye(len(bits), dtype=bits.dtype)) - model(bits[None])).sum(-1),
        "An influence is the size of a change: it has no sign.",
    ),
    # the neighbour is flipped
    (lambda model, bits: right(model, bits).roll(1), "it should be"),
    # sorted
    (lambda model, bits: right(model, bits).sort().values, "it should be"),
    # a tensor for a tensor: the changes, not their size
    (
        lambda model, bits: model(bits[None] ^ torch.eye(len(bits), dtype=bits.dtype)) - model(bits[None]),
        "Your output has shape (2, 1), it should have (2,)",
    ),
    # random bits in the place of flips
    (
        lambda model, bits: (
            model(torch.randint(0, 2, (len(bits), len(bits)), generator=torch.Generator().manual_seed(0)))
            - model(bits[None])
        ).norm(dim=-1),
        "it should be",
    ),
    # norm over the places
    (
        lambda model, bits: (model(bits[None] ^ torch.eye(len(bits), dtype=bits.dtype)) - model(bits[None])).norm(
            dim=0
        ),
        "Your output has shape (1,), it should have (2,)",
    ),
    (lambda model, bits: None, "Your function returns None."),
]

RIGHT = [right, one_by_one, put_back]
