"""Answers to reading-maps.kendall: wrong ones, each with a part of what is said, and right ones in other words."""

import itertools
import math

import torch


def table(a, b):
    """Right: two tables of signs, and the cosine between them."""
    x, y = ((s[:, None] - s).sign().flatten() for s in (a, b))
    return torch.nn.functional.cosine_similarity(x, y, dim=0)


def counted(a, b, same=lambda d: d > 0):
    """Right: agreeing and contradicting pairs, and the ties of each."""
    agree = against = only_a = only_b = 0
    for i, j in itertools.combinations(range(len(a)), 2):
        d = (a[i] - a[j]).item() * (b[i] - b[j]).item()
        if same(d):
            agree += 1
        elif d < 0:
            against += 1
        elif a[i] != a[j]:
            only_a += 1
        elif b[i] != b[j]:
            only_b += 1
    return (agree - against) / math.sqrt((agree + against + only_a) * (agree + against + only_b))


def by_groups(a, b):
    """Right: all pairs, less those within groups of equal scores."""
    n = len(a)
    tied = [sum(c * (c - 1) / 2 for c in s.unique(return_counts=True)[1].tolist()) for s in (a, b)]
    x, y = ((s[:, None] - s).sign() for s in (a, b))
    pairs = n * (n - 1) / 2
    return (x * y).tril().sum().item() / math.sqrt((pairs - tied[0]) * (pairs - tied[1]))


def in_place(a, b):
    a.sub_(a.mean())
    return table(a, b)


def scipys(a, b):
    from scipy.stats import kendalltau

    return float(kendalltau(a.numpy(), b.numpy()).statistic)


WRONG = [
    # the mean of the two counts, not the root of their product
    (
        lambda a, b: (
            (2 * (x := (a[:, None] - a).sign()) * (y := (b[:, None] - b).sign())).sum() / (x.abs() + y.abs()).sum()
        ),
        "Your answer is 0.909091, it should be 0.912871. The case: 4 tokens, two of them tied in a.",
    ),
    # a tie of either vector is agreement
    (lambda a, b: counted(a, b, same=lambda d: d >= 0), "it should be 0.912871"),
    # neighbours only
    (
        lambda a, b: ((a[1:] - a[:-1]).sign() * (b[1:] - b[:-1]).sign()).mean(),
        "Your answer is 0, it should be 0.333333. The case: 3 tokens, one pair the other way round.",
    ),
    # as a share between 0 and 1
    (lambda a, b: (table(a, b) + 1) / 2, "Your answer is 0.666667, it should be 0.333333."),
    # the size alone
    (lambda a, b: table(a, b).abs(), "Your answer is 0.408248, it should be -0.408248"),
    # every token apart
    (
        lambda a, b: ((a[:, None] - a).sign() * (b[:, None] - b).sign()).sum(1),
        "Your function should return a number, it returned a tensor of shape (3,)",
    ),
    # the sum, not divided
    (
        lambda a, b: ((a[:, None] - a).sign() * (b[:, None] - b).sign()).sum(),
        "τ lies between −1 (every pair the other way round) and 1 (every pair the same): yours is 2.",
    ),
    # differences, not their signs
    (
        lambda a, b: torch.cosine_similarity((a[:, None] - a).flatten(), (b[:, None] - b).flatten(), dim=0),
        "This is Pearson's correlation of the scores themselves.",
    ),
    (in_place, "Your function changes a in place"),
    (scipys, "Your answer calls scipy's kendalltau, which is what this exercise asks you to build."),
]

RIGHT = [table, counted, by_groups]
