"""Answers to bias.audit: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
import torch.nn.functional as F


def tables(tokens, labels, words):
    """(in 1 with, in 1 without, in 0 with, in 0 without), each (word,), one half added."""
    has = F.one_hot(tokens, words).amax(1).to(labels.dtype)
    held_1, held_0 = (has[labels == label].sum(0) for label in (1, 0))
    n_1, n_0 = labels.sum(), (1 - labels).sum()
    return held_1 + 0.5, n_1 - held_1 + 0.5, held_0 + 0.5, n_0 - held_0 + 0.5


def right(tokens, labels, words):
    a, b, c, d = tables(tokens, labels, words)
    return (a * d / (b * c)).log() / (1 / a + 1 / b + 1 / c + 1 / d).sqrt()


def by_sets(tokens, labels, words):
    """Right: a set for each sentence, and word by word."""
    sentences = [set(row) for row in tokens.tolist()]
    found = []
    for word in range(words):
        counts = torch.full((2, 2), 0.5, dtype=torch.float64)
        for sentence, label in zip(sentences, labels.tolist(), strict=True):
            counts[int(label), int(word in sentence)] += 1
        log = counts.log()
        found.append((log[1, 1] - log[1, 0] - log[0, 1] + log[0, 0]) / counts.reciprocal().sum().sqrt())
    return torch.stack(found)


def risk_difference(tokens, labels, words):
    a, b, c, d = tables(tokens, labels, words)
    return a / (a + b) - c / (c + d)


WRONG = [
    # the difference of two shares
    (risk_difference, "The largest difference is at word"),
    # the share of the sentences with the word that have label 1
    (lambda *x: (lambda a, b, c, d: a / (a + c))(*tables(*x)), "it should be -0.9514, yours is 0.25"),
    # a smaller number added
    (
        lambda tokens, labels, words: (
            lambda a, b, c, d: (a * d / (b * c)).log() / (1 / a + 1 / b + 1 / c + 1 / d).sqrt()
        )(*(cell - 0.4 for cell in tables(tokens, labels, words))),
        "The largest difference is at word",
    ),
    # the odds ratio without its logarithm
    (lambda *x: (lambda a, b, c, d: a * d / (b * c))(*tables(*x)), "it should be 0.9514, yours is 9"),
    # the words that occur only
    (
        lambda tokens, labels, words: right(tokens, labels, words)[tokens.unique()],
        "Your output has shape (3,), it should have (4,): (…, word).",
    ),
    # a score for each sentence
    (lambda tokens, labels, words: right(tokens, labels, words)[tokens].sum(-1), "it should have (3,): (…, word)."),
    # sorted
    (lambda *x: right(*x).sort(descending=True).values, "Word 3 stands in no sentence"),
    # labels of −1 and 1
    (lambda tokens, labels, words: right(tokens, 1 - 2 * labels, words), "NaN"),
    # single precision
    (lambda *x: right(*x).float(), "Your output is float32, the inputs are float64"),
    # the inputs changed
    (lambda tokens, labels, words: right(tokens, labels.sub_(0.0).mul_(0), words), "Your function changes labels"),
    (lambda tokens, labels, words: None, "Your function returns None."),
]

RIGHT = [right, by_sets]
