"""Answers to waste.greedy: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def right(loss, heads):
    gone = []
    for _ in range(heads):
        left = [h for h in range(heads) if h not in gone]
        losses = torch.tensor([loss([*gone, h]) for h in left], dtype=torch.float64)
        gone.append(left[int(losses.argmin())])
    return torch.tensor(gone)


def by_sets(loss, heads):
    """Right: sets, and pairs of (loss, number)."""
    left, order = set(range(heads)), []
    while left:
        _, head = min((loss(frozenset(order) | {h}), h) for h in left)
        left.remove(head)
        order.append(head)
    return torch.tensor(order)


def recursive(loss, heads, gone=()):
    """Right: one head, and then the rest."""
    if len(gone) == heads:
        return torch.tensor(gone)
    left = [h for h in range(heads) if h not in gone]
    return recursive(loss, heads, (*gone, min(left, key=lambda h: loss((*gone, h)))))


def looks_back_one(loss, heads):
    """Each step remembers only the head that went before."""
    gone = []
    while len(gone) < heads:
        left = [h for h in range(heads) if h not in gone]
        gone.append(min(left, key=lambda h: loss([*gone[-1:], h])))
    return torch.tensor(gone)


def stops_when_it_costs(loss, heads):
    gone = []
    while len(gone) < heads:
        left = [h for h in range(heads) if h not in gone]
        best = min(left, key=lambda h: loss([*gone, h]))
        if loss([*gone, best]) > loss(gone) + 0.05:
            break
        gone.append(best)
    return torch.tensor(gone, dtype=torch.long)


def never_empty(loss, heads):
    gone = []
    while len(gone) < heads - 1:
        left = [h for h in range(heads) if h not in gone]
        gone.append(min(left, key=lambda h: loss([*gone, h])))
    return torch.tensor(gone, dtype=torch.long)


WRONG = [
    (looks_back_one, "it should be"),
    (stops_when_it_costs, "it should have"),
    (never_empty, "it should have"),
    # in the order of their numbers
    (lambda loss, heads: torch.arange(heads), "it should be"),
    # two at a time, by the loss of pairs of neighbours
    (
        lambda loss, heads: torch.tensor(sorted(range(heads), key=lambda h: loss([h, (h + 1) % heads]))),
        "it should be",
    ),
    # a head goes twice
    (
        lambda loss, heads: torch.tensor([min(range(heads), key=lambda h: loss([h]))] * heads),
        "Each of the heads 0 to",
    ),
    # a list
    (lambda loss, heads: right(loss, heads).tolist(), "Your function should return a torch tensor"),
    # losses, not heads
    (
        lambda loss, heads: torch.tensor([loss([h]) for h in range(heads)], dtype=torch.float64),
        "whole numbers",
    ),
    # 32 bits
    (lambda loss, heads: right(loss, heads).int(), "Your output is int32"),
    # what the other one costs, by difference to the whole
    (
        lambda loss, heads: torch.tensor(sorted(range(heads), key=lambda h: loss(range(heads)) - loss([h]))),
        "it should be",
    ),
    # counted from one
    (lambda loss, heads: right(loss, heads) + 1, "Each of the heads 0 to"),
    (lambda loss, heads: None, "Your function returns None."),
]

RIGHT = [right, by_sets, recursive]
