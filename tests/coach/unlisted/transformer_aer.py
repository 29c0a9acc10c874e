"""Answers to transformer.aer: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def places(links):
    return {tuple(place) for place in links.nonzero().tolist()}


def sets(found, sure, possible):
    """Right, with sets of pairs."""
    a, s, p = places(found), places(sure), places(possible)
    return 1 - (len(a & s) + len(a & p)) / (len(a) + len(s))


def means(found, sure, possible):
    """Right, with mean values instead of counts."""
    hits = (found * sure).double().mean() + (found * possible).double().mean()
    return (1 - hits / (found.double().mean() + sure.double().mean())).item()


def f_score(found, sure, possible):
    precision = (found & possible).sum() / found.sum()
    recall = (found & sure).sum() / sure.sum()
    return (1 - 2 * precision * recall / (precision + recall)).item()


WRONG = [
    # 1 − F, which is close
    (f_score, "Your answer is"),
    # in percent
    (lambda *a: 100 * sets(*a), "Your answer is 80, it should be 0.8"),
    # rounded
    (lambda *a: round(sets(*a), 1), "Your answer is"),
    # possible means: and not sure
    (lambda found, sure, possible: sets(found, sure, possible & ~sure), "Your answer is"),
    # the union below the line
    (
        lambda found, sure, possible: (
            1 - ((found & sure).sum() + (found & possible).sum()).item() / (2 * (found | sure).sum().item())
        ),
        "Your answer is",
    ),
    # one number a row
    (lambda found, sure, possible: 1 - (found & possible).double().mean(-1), "should return a number"),
    # a list
    (lambda *a: [sets(*a)], "should return a number"),
    # right or wrong
    (lambda *a: sets(*a) < 0.5, "Your answer is False, it should be 0.8"),
    # the number of wrong links
    (lambda found, sure, possible: (found & ~possible).sum().item(), "Your answer is 2, it should be 0.8"),
]

RIGHT = [sets, means, lambda *a: torch.tensor(sets(*a))]
