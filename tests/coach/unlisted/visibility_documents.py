"""Answers to visibility.documents: wrong ones, each with a part of what the check says, and other right ones."""

import torch
from unlisted.parts import past


def documents_in_blocks(ids):
    """Blocks in the order of the sorted numbers."""
    _, counts = torch.unique(ids, return_counts=True)
    return torch.block_diag(*[torch.ones(c, c) for c in counts]).bool().tril()


def documents_two(ids):
    """Two documents, taken for granted."""
    border = int((ids == ids[0]).sum())
    out = past(len(ids))
    out[border:, :border] = False
    return out


def documents_next_to(ids):
    """Only neighbours are compared."""
    same = torch.zeros(len(ids), len(ids), dtype=torch.bool)
    for i in range(len(ids)):
        same[i, i] = True
        if i and ids[i] == ids[i - 1]:
            same[i, i - 1] = True
    return same


WRONG = [
    (documents_in_blocks, "6 of 36 cells differ, the first at query 2, key 0: should be"),
    (documents_two, "3 of 36 cells differ, the first at query 5, key 2: should be"),
    (documents_next_to, "1 of 25 cells differ, the first at query 4, key 2: should be"),
    # products instead of comparisons: zero matches all
    (
        lambda ids: (torch.outer(ids, ids) == ids**2) & past(len(ids)),
        "2 of 9 cells differ, the first at query 2, key 0: should be",
    ),
    # odd and even
    (
        lambda ids: (ids[:, None] % 2 == ids % 2) & past(len(ids)),
        "11 of 36 cells differ, the first at query 2, key 0: should be",
    ),
    # neighbouring numbers count as the same
    (
        lambda ids: ((ids[:, None] - ids).abs() <= 1) & past(len(ids)),
        "2 of 9 cells differ, the first at query 2, key 0: should be",
    ),
    # three tokens
    (
        lambda ids: (ids[:, None] == ids) & past(3),
        "The size of tensor a (5) must match the size of tensor b (3) at",
    ),
    # document 0 is taken for padding
    (
        lambda ids: (ids[:, None] == ids) & past(len(ids)) & (ids != 0),
        "3 of 9 cells differ, the first at query 0, key 0: should be",
    ),
    # the sum of two masks
    (
        lambda ids: (ids[:, None] == ids).int() + past(len(ids)).int(),
        "Your output should hold True and False, it holds int32.",
    ),
    # one row only
    (lambda ids: ids == ids[-1], "Your output has shape (3,), it should have (3, 3): (…, query,"),
    # upper triangle
    (
        lambda ids: (ids[:, None] == ids) & past(len(ids)).T,
        "2 of 9 cells differ, the first at query 0, key 1: should be",
    ),
]

RIGHT = [
    lambda ids: torch.tensor(
        [[i >= j and a == b for j, b in enumerate(ids.tolist())] for i, a in enumerate(ids.tolist())]
    ),
    lambda ids: torch.logical_and(ids.unsqueeze(1).eq(ids), past(ids.numel())),
]
