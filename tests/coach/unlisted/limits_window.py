"""Answers to limits.window: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def right(losses, tolerance):
    far = losses > losses[..., -1:] + tolerance
    return far.flip(-1).long().cummax(-1).values.flip(-1).sum(-1) + 1


def from_the_end(losses, tolerance):
    """Right: the near ones at the end, counted until the first that is far."""
    near = (losses - losses[..., -1:] <= tolerance).long()
    return losses.shape[-1] - near.flip(-1).cumprod(-1).sum(-1) + 1


def in_a_loop(losses, tolerance):
    found = []
    for row in losses.reshape(-1, losses.shape[-1]):
        found.append(next(w for w in range(1, len(row) + 1) if (row[w - 1 :] <= row[-1] + tolerance).all()))
    return torch.tensor(found).reshape(losses.shape[:-1])


def one_row(losses, tolerance):
    return torch.tensor(next(w for w in range(1, len(losses) + 1) if (losses[w - 1 :] <= losses[-1] + tolerance).all()))


WRONG = [
    (one_row, "Your output has shape (), it should have (1,)"),
    # a Python number
    (lambda losses, tolerance: one_row(losses[0], tolerance).item(), "Your function should return a torch tensor"),
    # always all of it
    (lambda losses, tolerance: right(losses, tolerance) * 0 + losses.shape[-1], "You took the longest context"),
    # the smallest loss so far
    (lambda losses, tolerance: right(losses.cummin(-1).values, tolerance), "it should be 4, yours is 2"),
    # the smallest loss
    (lambda losses, tolerance: losses.argmin(-1) + 1, "it should be 3, yours is 4"),
    # the greatest drop
    (
        lambda losses, tolerance: (losses[..., :-1] - losses[..., 1:]).argmax(-1) + 2,
        "it should be 3, yours is 2",
    ),
    # 0 where one token is enough
    (
        lambda losses, tolerance: right(losses, tolerance) * (losses > losses[..., -1:] + tolerance).any(-1).long(),
        "A window has 1 to 3 tokens here; one of yours has 0.",
    ),
    # as a float
    (lambda losses, tolerance: right(losses, tolerance).double(), "it should hold whole numbers"),
    # a share of the context
    (lambda losses, tolerance: right(losses, tolerance) / losses.shape[-1], "it should hold whole numbers"),
    # near the first
    (
        lambda losses, tolerance: (losses <= losses[..., :1] - tolerance).long().argmax(-1) + 1,
        "it should be 3, yours is 2",
    ),
    # which are near
    (
        lambda losses, tolerance: losses <= losses[..., -1:] + tolerance,
        "Your output has shape (1, 3), it should have (1,)",
    ),
    # the loss there
    (
        lambda losses, tolerance: losses.gather(-1, right(losses, tolerance)[..., None] - 1)[..., 0],
        "it should hold whole numbers",
    ),
    (lambda losses, tolerance: None, "Your function returns None."),
]

RIGHT = [right, from_the_end, in_a_loop]
