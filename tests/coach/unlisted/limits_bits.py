"""Answers to limits.bits: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def margin(logits, odd):
    return logits * (2 * odd.to(logits.dtype) - 1)


def right(logits, odd):
    m = margin(logits, odd)
    return torch.logaddexp(torch.zeros_like(m), -m) / math.log(2)


def by_halves(logits, odd):
    """Right: the exponential of −|m| alone, and what is missing added."""
    m = margin(logits, odd)
    return ((-m).clamp(min=0) + (1 + (-m.abs()).exp()).log()) / math.log(2)


def shifted(logits, odd):
    """Right: a softmax of two scores, the logit and 0, from their greatest."""
    two = torch.stack([logits, torch.zeros_like(logits)])
    top = two.amax(0)
    total = top + (two - top).exp().sum(0).log()
    return (total - torch.where(odd, logits, 0.0)) / math.log(2)


WRONG = [
    # the second part alone in bits
    (
        lambda logits, odd: (-margin(logits, odd)).clamp(min=0) + (1 + (-logits.abs()).exp()).log() / math.log(2),
        "a logit of 2 for an even string costs at least 2.885 bits",
    ),
    # what a halved tanh takes for the probability
    (lambda logits, odd: right(2 * logits, odd), "it should be 0.6839, yours is 0.4519"),
    # what the shifted softmax gives the other answer
    (lambda logits, odd: right(logits, ~odd), "The sign: you charge the right answers."),
    # a small number inside the logarithm
    (
        lambda logits, odd: -(margin(logits, odd).sigmoid() + 1e-9).log2(),
        "Nearly: your output is off by up to 2e-09",
    ),
    # the mean of them
    (lambda logits, odd: right(logits, odd).mean(), "Your output has shape (), it should have (1,)"),
    # clamped at another place
    (
        lambda logits, odd: -margin(logits, odd).sigmoid().clamp(min=1e-7).log2(),
        "Whoever is sure and wrong pays for it: a logit of -2000",
    ),
    # the logit clamped
    (
        lambda logits, odd: right(logits.clamp(-50, 50), odd),
        "Whoever is sure and wrong pays for it",
    ),
    # in tens
    (lambda logits, odd: right(logits, odd) * math.log10(2), "it should be 0.6839, yours is 0.2059"),
    # the entropy of the answer, whatever the truth
    (
        lambda logits, odd: torch.special.entr(logits.sigmoid()) + torch.special.entr((-logits).sigmoid()),
        "it should be 0.6839, yours is 0.6628",
    ),
    # without gradient
    (lambda logits, odd: right(logits.detach(), odd), "no gradient flows back"),
    # a list
    (lambda logits, odd: right(logits, odd).tolist(), "it returned a list"),
    # nothing
    (lambda logits, odd: None, "Your function returns None."),
    # torch's own
    (
        lambda logits, odd: torch.nn.functional.softplus(-margin(logits, odd)) / math.log(2),
        "Your answer calls torch's softplus",
    ),
    (
        lambda logits, odd: (
            torch.nn.functional.binary_cross_entropy_with_logits(logits, odd.to(logits.dtype), reduction="none")
            / math.log(2)
        ),
        "Your answer calls torch's binary_cross_entropy_with_logits",
    ),
]

RIGHT = [right, by_halves, shifted]
