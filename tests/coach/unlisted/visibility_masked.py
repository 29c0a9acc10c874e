"""Answers to visibility.masked: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch
from unlisted.parts import past


def masked_in_a_loop(scores, visible):
    """For one matrix only."""
    out = torch.zeros_like(scores)
    for i in range(scores.shape[0]):
        if visible[i].any():
            out[i, visible[i]] = scores[i, visible[i]].softmax(-1)
    return out


def masked_square(scores, visible):
    """Its own causal mask."""
    n = scores.shape[-1]
    return scores.masked_fill(~past(n), -1e9).softmax(-1) * visible


def masked_right(scores, visible, hidden=-math.inf):
    """Right: an empty row is kept finite before the softmax."""
    some = visible.any(-1, keepdim=True)
    return scores.masked_fill(~visible & some, hidden).softmax(-1) * some


WRONG = [
    (masked_in_a_loop, "right with fewer leading axes"),
    (masked_square, "Your output has shape (3, 3), it should have (1, 3): (…, query,"),
    # not low enough: real scores may be lower
    (lambda s, visible: masked_right(s, visible, -1e4), "A hidden key must have weight 0; one of yours has 1."),
    # zeros after, rows brought back to one: 0/0 in an empty row
    (
        lambda s, visible: s.softmax(-1) * visible / (s.softmax(-1) * visible).sum(-1, keepdim=True),
        "Your output has NaN at 3 of 9 places.",
    ),
    # a small number against 0/0
    (
        lambda s, visible: s.softmax(-1) * visible / ((s.softmax(-1) * visible).sum(-1, keepdim=True) + 1e-6),
        "Nearly: your output is off by up to 9e-07, which is more than",
    ),
    # an empty row is shared evenly
    (
        lambda s, visible: s.masked_fill(~visible, torch.finfo(s.dtype).min).softmax(-1),
        "Filling with a large negative number instead of −∞ works until",
    ),
    # the visible keys only, cut out
    (
        lambda s, visible: s[..., visible].softmax(-1),
        "Your output has shape (2,), it should have (1, 3): (…, query,",
    ),
    # over the queries
    (
        lambda s, visible: s.masked_fill(~visible, -1e9).softmax(-2) * visible,
        "Row 0 sums to 2; it should sum to 1.",
    ),
    # the mask turned
    (
        lambda s, visible: masked_right(s, visible.T if visible.shape[0] == visible.shape[1] else visible),
        "A hidden key must have weight 0; one of yours has 0.571.",
    ),
    # right, without gradient
    (
        lambda s, visible: masked_right(s.detach(), visible),
        "The numbers are right, but no gradient flows back through them,",
    ),
    # the masked scores, no softmax
    (lambda s, visible: s.masked_fill(~visible, -math.inf), "Your output is infinite at 1 of 3 places."),
]

RIGHT = [
    masked_right,
    lambda s, visible: torch.where(visible, s, torch.finfo(s.dtype).min).softmax(-1) * visible,
    lambda s, visible: s.masked_fill(~visible, -1e9).softmax(-1).masked_fill(~visible, 0.0),
]
