"""Answers to limits.match: wrong ones, each with a part of what the check says, and right ones in other words."""

from itertools import pairwise

import torch


def right(opens):
    """The last opening bracket before it whose depth outside is the same."""
    n, depth = opens.shape[-1], (2 * opens.long() - 1).cumsum(-1)
    outside = depth - opens.long()
    same = (outside[..., None] == outside[..., None, :]) & opens[..., None, :] & ~opens[..., None]
    same &= torch.arange(n) < torch.arange(n)[:, None]
    return (same * torch.arange(1, n + 1)).amax(-1) - 1


def with_a_stack(opens):
    found = torch.full(opens.shape, -1)
    for row, out in zip(opens.reshape(-1, opens.shape[-1]), found.view(-1, opens.shape[-1]), strict=True):
        stack = []
        for i, open in enumerate(row):
            if open:
                stack.append(i)
            elif stack:
                out[i] = stack.pop()
    return found


def crossing_out(opens):
    """Right: again and again, an opening bracket directly before a closing one, both crossed out."""
    found = torch.full(opens.shape, -1)
    for row, out in zip(opens.reshape(-1, opens.shape[-1]), found.view(-1, opens.shape[-1]), strict=True):
        left = list(range(len(row)))
        while pairs := [(a, b) for a, b in pairwise(left) if row[a] and not row[b]]:
            for a, b in pairs:
                out[b] = a
                left.remove(a)
                left.remove(b)
    return found


def one_row(opens):
    stack, found = [], []
    for i, open in enumerate(opens):
        if open:
            stack.append(i)
        found.append(-1 if open or not stack else stack.pop())
    return torch.tensor(found)


def fails_on_nothing(opens):
    stack, found = [], []
    for i, open in enumerate(opens.tolist()):
        if open:
            stack.append(i)
        found.append(-1 if open else stack.pop())
    return torch.tensor(found)


def cleared(opens):
    """A bracket that closes nothing spoils the rest of the string."""
    found = right(opens)
    depth = (2 * opens.long() - 1).cumsum(-1)
    return torch.where((depth < 0).cumsum(-1) > 0, -1, found)


WRONG = [
    # a bracket that closes nothing, and an empty stack
    (fails_on_nothing, "Your function raised IndexError"),
    # one string only
    (one_row, "with fewer leading axes"),
    (cleared, "it should be 1, yours is -1"),
    # the place before it
    (
        lambda opens: torch.where(opens, -1, torch.arange(opens.shape[-1]) - 1),
        "Only an opening bracket can be closed. Yours at place 3 closes place 2",
    ),
    # as floats
    (lambda opens: right(opens).double(), "it should hold whole numbers"),
    # as floats, with NaN for nothing
    (lambda opens: torch.where(right(opens) < 0, torch.nan, right(opens).double()), "it should hold whole numbers"),
    # nothing is 0
    (lambda opens: right(opens).clamp(min=0), "The bracket at place 0 opens, so it closes nothing"),
    # nothing is itself
    (
        lambda opens: torch.where(right(opens) < 0, torch.arange(opens.shape[-1]), right(opens)),
        "The bracket at place 0 opens, so it closes nothing",
    ),
    # pairs
    (lambda opens: (right(opens) >= 0).nonzero(), "Your output has shape"),
    # whether it closes
    (lambda opens: right(opens) >= 0, "Your output should hold whole numbers, it holds bool"),
    # the mirror image: the closing bracket as far from the end
    (
        lambda opens: torch.where(opens, -1, opens.shape[-1] - 1 - torch.arange(opens.shape[-1])),
        "closes place",
    ),
    (lambda opens: None, "Your function returns None."),
]

RIGHT = [right, with_a_stack, crossing_out]
