"""Answers to waste.influence: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
import torch.nn.functional as F


def turned(states):
    return 1 - F.cosine_similarity(states[:-1], states[1:], dim=-1)  # (block, batch, token)


def right(states, keep):
    return turned(states)[:, keep].mean(-1)


def weighted(states, keep):
    """Right: a weighted mean, without an index."""
    share = keep.to(states.dtype) / keep.sum()
    return torch.einsum("lbt,bt->l", turned(states), share)


def by_unit_vectors(states, keep):
    """Right: half of the squared distance of the unit vectors."""
    unit = F.normalize(states, dim=-1)
    return ((unit[1:] - unit[:-1]).square().sum(-1) / 2)[:, keep].mean(-1)


WRONG = [
    # over the tokens instead of the features
    (
        lambda states, keep: 1 - F.cosine_similarity(states[:-1], states[1:], dim=-2).mean((-2, -1)),
        "The largest difference is at",
    ),
    # the median token
    (lambda states, keep: turned(states)[:, keep].median(-1).values, "The largest difference is at"),
    # the largest
    (lambda states, keep: turned(states)[:, keep].amax(-1), "The largest difference is at"),
    # of all blocks together
    (lambda states, keep: right(states, keep).mean(), "Your output has shape (), it should have (1,)"),
    # from the last state to the first
    (lambda states, keep: right(states.flip(0), keep), "The largest difference is at"),
    # an angle
    (
        lambda states, keep: torch.acos(F.cosine_similarity(states[:-1], states[1:], dim=-1))[:, keep].mean(-1),
        "The largest difference is at",
    ),
    # what the block adds, beside its input
    (
        lambda states, keep: 1 - F.cosine_similarity(states[:-1], states[1:] - states[:-1], dim=-1)[:, keep].mean(-1),
        "The largest difference is at",
    ),
    # filler counted, kept not
    (lambda states, keep: turned(states)[:, ~keep].mean(-1), "Your output has NaN"),
    # each token
    (lambda states, keep: turned(states)[:, keep], "Your output has shape (1, 2), it should have (1,)"),
    # without gradient
    (lambda states, keep: right(states.detach(), keep), "gradient"),
    # one state too many
    (
        lambda states, keep: 1 - F.cosine_similarity(states, states.roll(1, 0), dim=-1)[:, keep].mean(-1),
        "Your output has shape (2,), it should have (1,)",
    ),
    # summed
    (lambda states, keep: turned(states)[:, keep].sum(-1), "The largest difference is at"),
]

RIGHT = [right, weighted, by_unit_vectors]
