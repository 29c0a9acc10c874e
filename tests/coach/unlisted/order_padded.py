"""Answers to order.padded: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def by_length(keep):
    """Right: every row begins where its fillers end."""
    fillers = (~keep).sum(-1, keepdim=True)
    return (torch.arange(keep.shape[-1]) - fillers).clamp(min=0)


def loops(keep):
    return torch.tensor([[max(0, sum(row[: t + 1]) - 1) for t in range(len(row))] for row in keep.tolist()])


def in_place(keep):
    keep[:, 0] = True
    return (keep.long().cumsum(-1) - 1).clamp(min=0)


WRONG = [
    (in_place, "Your function changes keep in place"),
    # fillers at 1, as some libraries have it
    (lambda keep: (keep.long().cumsum(-1) - 1).masked_fill(~keep, 1), "The largest difference is at"),
    # how many tokens a row has
    (lambda keep: keep.sum(-1), "Your output has shape (1,), it should have (1, 3)"),
    # counted backwards within the row
    (
        lambda keep: (keep.long().flip(-1).cumsum(-1).flip(-1) - 1).clamp(min=0),
        "The largest difference is at",
    ),
    # True and False
    (lambda keep: keep.cumsum(-1) > 1, "Your output should hold whole numbers, it holds bool"),
    # a list
    (lambda keep: loops(keep).tolist(), "Your function should return a torch tensor, it returned a list"),
    # the fillers counted, not the tokens
    (lambda keep: (~keep).long().cumsum(-1), "The largest difference is at"),
    # divided, so no longer whole
    (lambda keep: loops(keep) / 1, "Your output is float32, it should hold whole numbers (int64)."),
    # only the real ones, end to end
    (lambda keep: loops(keep)[keep], "Your output has shape (2,), it should have (1, 3)"),
    # the same distance for all: the longest padding is taken off
    (
        lambda keep: (torch.arange(keep.shape[-1]) - (~keep).sum(-1).max()).clamp(min=0).expand(keep.shape).clone(),
        "The largest difference is at",
    ),
]

RIGHT = [
    by_length,
    loops,
    lambda keep: (keep.long().cumsum(-1) - 1).clamp(min=0),
    lambda keep: ((keep.cumsum(-1) - 1) * keep).long(),
]
