"""Answers to bias.calibration: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def right(probabilities, labels, bins):
    confidence, said = probabilities.max(dim=-1)
    hit = (said == labels).double()
    total = 0.0
    for m in range(bins):
        mine = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        if mine.any():
            total += mine.double().mean() * (hit[mine].mean() - confidence[mine].mean()).abs()
    return float(total)


def by_ceiling(probabilities, labels, bins):
    """Right: the bin's number is the confidence times M, rounded up; the sum of signed gaps a bin, over all."""
    confidence, said = probabilities.max(-1)
    bin = (confidence * bins).ceil().long() - 1
    gap = torch.zeros(bins, dtype=torch.float64).index_add(0, bin, (said == labels).double() - confidence)
    return gap.abs().sum() / len(labels)


def of(change):
    return lambda probabilities, labels, bins: right(*change(probabilities, labels, bins))


WRONG = [
    # half as many bins
    (of(lambda p, y, bins: (p, y, (bins + 1) // 2)), "Your answer is"),
    # one bin more
    (of(lambda p, y, bins: (p, y, bins + 1)), "Your answer is"),
    # ten bins whatever is asked
    (of(lambda p, y, bins: (p, y, 10)), "Your answer is"),
    # a softmax over what are probabilities already
    (of(lambda p, y, bins: (p.softmax(-1), y, bins)), "Your answer is"),
    # the accuracy
    (lambda p, y, bins: (p.argmax(-1) == y).double().mean().item(), "Your answer is 0.5, it should be 0.4."),
    # in per cent
    (lambda p, y, bins: 100 * right(p, y, bins), "The error lies between 0 and 1; yours is 40."),
    # Brier's score
    (
        lambda p, y, bins: (p - torch.nn.functional.one_hot(y, p.shape[1])).square().sum(-1).mean().item(),
        "Your answer is",
    ),
    # the loss
    (lambda p, y, bins: -p[torch.arange(len(y)), y].clamp(min=1e-9).log().mean().item(), "Your answer is"),
    # a gap for each bin
    (lambda p, y, bins: torch.zeros(bins), "Your function should return a number"),
    # the last example only
    (of(lambda p, y, bins: (p[-1:], y[-1:], bins)), "Your answer is"),
    (lambda p, y, bins: None, "Your function returns None."),
]

RIGHT = [right, by_ceiling]
