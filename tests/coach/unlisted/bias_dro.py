"""Answers to bias.dro: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
import torch.nn.functional as F


def means(losses, groups, n):
    of = F.one_hot(groups, n).to(losses.dtype)
    return losses @ of / of.sum(0).clamp(min=1)


def right(weights, losses, groups, step):
    return (weights.log() + step * means(losses, groups, len(weights))).softmax(0)


def group_by_group(weights, losses, groups, step):
    """Right: in logarithms, one group at a time."""
    powers = []
    for group in range(len(weights)):
        mine = losses[groups == group]
        powers.append(weights[group].log() + (step * mine.mean() if len(mine) else 0))
    logs = torch.stack(powers)
    return (logs - logs.logsumexp(0)).exp()


WRONG = [
    # the mean of the step and the losses' powers
    (lambda q, losses, g, s: right(q, losses.exp().clamp(max=1e3), g, s), "The largest difference is at group"),
    # the median of a group
    (
        lambda q, losses, g, s: right(
            q,
            torch.stack([losses[g == group].median() if (g == group).any() else losses.new_tensor(0) for group in g]),
            g,
            s,
        ),
        "The largest difference is at group",
    ),
    # the greatest loss of a group
    (
        lambda q, losses, g, s: (
            q.log() + s * losses.new_zeros(len(q)).scatter_reduce(0, g, losses, "amax", include_self=True)
        ).softmax(0),
        "The largest difference is at group",
    ),
    # divided by the largest
    (
        lambda q, losses, g, s: (lambda x: x / x.max())(right(q, losses, g, s)),
        "The weights should sum to one after the update",
    ),
    # a step that is twice as large
    (lambda q, losses, g, s: right(q, losses, g, 2 * s), "The largest difference is at group"),
    # the step forgotten
    (lambda q, losses, g, s: right(q, losses, g, 1.0), "The largest difference is at group"),
    # the weighted loss
    (
        lambda q, losses, g, s: (right(q, losses, g, s) * means(losses, g, len(q))).sum(),
        "Your output has shape (), it should have (2,)",
    ),
    # a weight for each example
    (lambda q, losses, g, s: right(q, losses, g, s)[g], "it should have (3,)"),
    # weights that come in are overwritten
    (lambda q, losses, g, s: q.copy_(right(q, losses, g, s)), "Your function changes weights in place"),
    # half of the old weights kept
    (lambda q, losses, g, s: (q + right(q, losses, g, s)) / 2, "The largest difference is at group"),
    (lambda q, losses, g, s: None, "Your function returns None."),
]

RIGHT = [right, group_by_group]
