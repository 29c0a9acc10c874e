"""Answers to scaling.sharpness: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import numpy
import torch

from attn_course.coach.exercises.scaling.sharpness import _bisected, slow_sharpness


def on_a_grid(scores, target):
    """A hundred scales between 0 and 10, the nearest wins."""
    scales = torch.linspace(0, 10, 100, dtype=scores.dtype)
    rows = (scales[:, None] * scores).softmax(-1)
    entropies = torch.special.entr(rows).sum(-1)
    return scales[(entropies - target).abs().argmin()].item()


def newton(scores, target):
    """Right: secant steps kept inside an interval, with numpy."""
    s = scores.numpy()

    def entropy(scale):
        e = numpy.exp(scale * (s - s.max()))
        p = e / e.sum()
        return -(p[p > 0] * numpy.log(p[p > 0])).sum()

    low, high = numpy.float64(0), numpy.float64(1)
    while entropy(high) > target:
        high *= 2
    for _ in range(80):
        low, high = ((low + high) / 2, high) if entropy((low + high) / 2) > target else (low, (low + high) / 2)
    return high


WRONG = [
    (on_a_grid, "At your scale of 2.323 the entropy is 0.3007, wanted is 0.3000:"),
    # ten halvings
    (
        lambda scores, target: _bisected(scores, target, high=10.0, steps=10),
        "At your scale of 2.329 the entropy is 0.2996, wanted is 0.3000:",
    ),
    # never above a hundred
    (
        lambda scores, target: _bisected(scores, target, high=100.0),
        "At your scale of 100 the entropy is 2.1135, wanted is 1.0000:",
    ),
    # the entropy, not the scale
    (lambda scores, target: target, "At your scale of 0.3 the entropy is 0.6820, wanted is 0.3000:"),
    # the log of it
    (
        lambda scores, target: math.log(slow_sharpness(scores, target)),
        "At your scale of 0.8446 the entropy is 0.6113, wanted is",
    ),
    # negative scale: the same entropy for a pair
    (
        lambda scores, target: -slow_sharpness(scores, target),
        "The scale should be a positive number, yours is -2.32706.",
    ),
    # the scale per key
    (
        lambda scores, target: torch.full_like(scores, slow_sharpness(scores, target)),
        "Your function should return a number, it returned a tensor of",
    ),
    # one over the spread of the scores
    (
        lambda scores, target: 1 / scores.std().item(),
        "At your scale of 1.414 the entropy is 0.4942, wanted is 0.3000:",
    ),
    # rounded to two decimals
    (
        lambda scores, target: round(slow_sharpness(scores, target), 2),
        "At your scale of 2.33 the entropy is 0.2994, wanted is 0.3000:",
    ),
    # perplexity taken for entropy
    (
        lambda scores, target: slow_sharpness(scores, math.log(max(target, 1.01))),
        "At your scale of 6.643 the entropy is 0.0100, wanted is 0.3000:",
    ),
    # infinite
    (lambda scores, target: math.inf, "The scale should be a positive number, yours is inf."),
]

RIGHT = [
    newton,
    lambda scores, target: torch.tensor(slow_sharpness(scores, target)),
    lambda scores, target, steps=200: _bisected(scores, target, high=1e6, steps=steps),
]
