"""Answers to heads.tied: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def rows(maps, at):
    return maps[torch.arange(len(maps)), :, at].clone()


def share(r, at, to, itself=-1.0):
    r[torch.arange(len(at)), :, at] = itself
    return (r.argmax(-1) == to[:, None]).double().mean(0)


def loops(maps, at, to):
    """Right, by beating every other word."""
    hits = torch.zeros(maps.shape[1], dtype=maps.dtype)
    for m, i, j in zip(maps, at.tolist(), to.tolist(), strict=True):
        row = m[:, i].clone()
        row[:, i] = 0
        hits += (row[:, j, None] >= row).all(-1)
    return hits / len(maps)


def in_place(maps, at, to):
    maps[torch.arange(len(maps)), :, at, at] = -1
    return (maps[torch.arange(len(maps)), :, at].argmax(-1) == to[:, None]).double().mean(0)


WRONG = [
    (in_place, "Your function changes maps in place"),
    # one number for all heads
    (lambda maps, at, to: loops(maps, at, to).mean(), "Your output has shape (), it should have (2,)"),
    # one number a sentence
    (
        lambda maps, at, to: (rows(maps, at).argmax(-1) == to[:, None]).double().mean(1),
        "Your output has shape (1,), it should have (2,)",
    ),
    # single precision
    (lambda maps, at, to: loops(maps, at, to).float(), "Your output is float32, the inputs are float64"),
    # among the two strongest
    (
        lambda maps, at, to: (rows(maps, at).topk(2).indices == to[:, None, None]).any(-1).double().mean(0),
        "The largest difference is at",
    ),
    # the weakest
    (
        lambda maps, at, to: (rows(maps, at).argmin(-1) == to[:, None]).double().mean(0),
        "The largest difference is at",
    ),
    # the word itself lowered only a little
    (lambda maps, at, to: share(rows(maps, at), at, to, itself=0.3), "The largest difference is at"),
    # the first sentence speaks for all
    (lambda maps, at, to: loops(maps[:1], at[:1], to[:1]), "The largest difference is at"),
    # right or wrong, not how often
    (lambda maps, at, to: loops(maps, at, to) == 1, "Your output should hold floating-point numbers, it holds bool"),
    # a list
    (lambda maps, at, to: loops(maps, at, to).tolist(), "Your function should return a torch tensor"),
]

RIGHT = [
    loops,
    lambda maps, at, to: share(rows(maps, at), at, to),
    lambda maps, at, to: (
        torch.stack(
            [
                (m[:, i] * (torch.arange(m.shape[-1]) != i)).argmax(-1) == j
                for m, i, j in zip(maps, at.tolist(), to.tolist(), strict=True)
            ]
        )
        .double()
        .mean(0)
    ),
]
