"""Answers to sinks.evict: wrong ones, each with a part of what the check says, and right ones in other words."""

from collections import deque

import torch


def placed(kept):
    kept = torch.as_tensor(kept)
    return torch.stack([kept, torch.arange(len(kept))])


def right(t, s, w):
    """Right: one condition on all tokens that have come."""
    j = torch.arange(t + 1)
    return placed(j[(j < s) | (j > t - w)])


def rolled(t, s, w):
    """Right: as it runs, token after token."""
    first, last = [], deque(maxlen=w)
    for token in range(t + 1):
        (first if token < s else last).append(token)
    return placed([*first, *last])


def by_slices(t, s, w):
    """Right: all tokens while they fit, and cut in two after that."""
    tokens = list(range(t + 1))
    return placed(tokens if t + 1 <= s + w else tokens[:s] + tokens[-w:])


def by_sets(t, s, w):
    """Right: a set keeps nothing twice."""
    return placed(sorted({*range(min(s, t + 1)), *range(max(0, t - w + 1), t + 1)}))


def by_a_mask(t, s, w):
    """Right: and the places by counting."""
    keep = torch.zeros(t + 1, dtype=torch.bool)
    keep[:s] = True
    keep[max(0, t + 1 - w) :] = True
    return torch.stack([keep.nonzero()[:, 0], (keep.cumsum(0) - 1)[keep]])


WRONG = [
    # a list of lists
    (lambda t, s, w: right(t, s, w).tolist(), "it returned a list: `torch.tensor` or `torch.stack` makes a tensor"),
    # both apart
    (lambda t, s, w: tuple(right(t, s, w)), "Your function should return a torch tensor, it returned a tuple"),
    # the tokens alone
    (lambda t, s, w: right(t, s, w)[0], "Your output has shape (1,), it should have (2, 1): (…, row, kept)"),
    # pairs
    (lambda t, s, w: right(t, s, w).T, "Your output has shape (1, 2), it should have (2, 1)"),
    # a mask
    (lambda t, s, w: right(t, s, w) > 0, "Your output should hold whole numbers, it holds bool"),
    # not whole
    (lambda t, s, w: right(t, s, w).double(), "Your output is float64, it should hold whole numbers (int64)"),
    # the last w of the tokens before, without one's own, and its own in front
    (
        lambda t, s, w: placed([t, *right(t, s, w)[0].tolist()[:-1]]),
        "The tokens in the cache should stand in the order of the text. The case: all tokens still fit",
    ),
    # the middle is kept
    (
        lambda t, s, w: placed(
            list(range(t + 1)) if t < s + w else [*range(s), *range((t + s - w) // 2, (t + s - w) // 2 + w)]
        ),
        "does not see its own key: w counts it as one of the last. The case: the first eviction",
    ),
    # in blocks: room is made for w at a time
    (
        lambda t, s, w: placed([*range(min(s, t + 1)), *range(max(s, t - (t - s) % w), t + 1)]),
        "it should have (2, 3): (…, row, kept). The case: the first eviction (t = 3, s = 1, w = 2).",
    ),
    # sinks at the distance that they have in the text, from a place of one's own
    (
        lambda t, s, w: torch.stack([(kept := right(t, s, w)[0]), kept - max(0, t + 1 - s - w)]),
        "The largest difference is at row 1, kept 0: it should be 0, yours is -1. The case: the first eviction",
    ),
    # counted from the end of the text
    (
        lambda t, s, w: torch.stack([(kept := right(t, s, w)[0]), kept - t]),
        "The largest difference is at row 1, kept 0",
    ),
    # evicted, not kept
    (
        lambda t, s, w: placed([j for j in range(t + 1) if s <= j <= t - w]),
        "Your output has shape (2, 0), it should have (2, 1)",
    ),
    # a future token
    (
        lambda t, s, w: placed([*right(t, s, w)[0].tolist()[:-1], t + 1]),
        "You keep token 1, which has not come yet: the query stands at 0.",
    ),
    # numbered from one
    (lambda t, s, w: placed((right(t, s, w)[0] + 1).tolist()), "You keep token 1, which has not come yet"),
    # places that leave room for what was evicted, less one
    (
        lambda t, s, w: torch.stack([(kept := right(t, s, w)[0]), torch.where(kept < s, kept, kept - (t - w) + s - 1)]),
        "The largest difference is at row 1, kept 1: it should be 1, yours is 4. The case: all tokens still fit",
    ),
    # places less the first one's
    (
        lambda t, s, w: torch.stack([(kept := right(t, s, w)[0]), kept - kept.min()]),
        "The largest difference is at row 1, kept 1: it should be 1, yours is 2. The case: the first eviction",
    ),
    # what begins before the text taken for the text's end
    (
        lambda t, s, w: placed(torch.cat([torch.arange(s), torch.arange(t - w + 1, t + 1)]).unique()),
        "Your output has shape (2, 5), it should have (2, 3): (…, row, kept). The case: all tokens still fit",
    ),
    # as many sinks as there is room for
    (
        lambda t, s, w: placed(list(range(t + 1)) if t < s + w else [*range(s + w - 1), t]),
        "The largest difference is at row 0, kept 1: it should be 2, yours is 1. The case: the first eviction",
    ),
    # its own key once more
    (
        lambda t, s, w: placed([*range(min(s, t + 1)), *range(max(s, t - w + 1), t + 1), *[t] * (t >= s + w)]),
        "it should have (2, 3): (…, row, kept). The case: the first eviction",
    ),
    # every other
    (
        lambda t, s, w: placed(sorted({*range(min(s, t + 1)), *range(t, max(s, t - 2 * w + 1) - 1, -2)})),
        "The case: all tokens still fit",
    ),
]

RIGHT = [right, rolled, by_slices, by_sets, by_a_mask]
