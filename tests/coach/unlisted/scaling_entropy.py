"""Answers to scaling.entropy: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def entropy_by_loop(weights):
    """For one matrix only."""
    return torch.stack([-sum(p * p.log() for p in row if p > 0) for row in weights])


WRONG = [
    (entropy_by_loop, "right with fewer leading axes"),
    # one number for the whole matrix
    (lambda w: -torch.xlogy(w, w).sum(), "Your output has shape (), it should have (1,): (…, query)."),
    # the average over all queries
    (lambda w: -torch.xlogy(w, w).sum(-1).mean(), "Your output has shape (), it should have (1,): (…, query)."),
    # a small number, larger than the listed one
    (lambda w: -(w * (w + 1e-6).log()).sum(-1), "Nearly: your output is off by up to 2e-06, which is more than"),
    # zeros become ones before everything: right; zeros become a half: wrong
    (
        lambda w: -(w.masked_fill(w == 0, 0.5) * w.masked_fill(w == 0, 0.5).log()).sum(-1),
        "it should be 0, yours is 0.6931",
    ),
    # log without its weight
    (
        lambda w: -w.clamp_min(1e-30).log().sum(-1),
        "Over 2 keys the entropy lies between 0 and log n = 0.693; yours",
    ),
    # Gini's measure
    (lambda w: 1 - (w**2).sum(-1), "it should be 0.4008, yours is 0.2375"),
    # normalises what is normalised, with a softmax
    (lambda w: torch.special.entr(w.softmax(-1)).sum(-1), "it should be 0.4008, yours is 0.6316"),
    # in tens
    (lambda w: -torch.xlogy(w, w).sum(-1) / math.log(10), "it should be 0.4008, yours is 0.1741"),
    # axis 1
    (lambda w: -torch.xlogy(w, w).sum(1), "right with fewer leading axes"),
    # the exponential of it: how many keys in effect
    (
        lambda w: torch.special.entr(w).sum(-1).exp(),
        "Over 2 keys the entropy lies between 0 and log n = 0.693; yours",
    ),
    # the terms, not summed
    (lambda w: torch.special.entr(w), "Your output has shape (1, 2), it should have (1,): (…, query)."),
]

RIGHT = [
    lambda w: torch.distributions.Categorical(probs=w).entropy(),
    lambda w: -(w * w.log()).nansum(-1),
    lambda w: -(w * w.clamp_min(1e-300).log()).sum(-1),
]
