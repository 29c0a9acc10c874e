"""Answers to rank-collapse.residual: wrong ones, each with a part of what is said, and right ones in other words."""

import torch


def norm(m):
    return (m.abs().sum(-2).amax(-1) * m.abs().sum(-1).amax(-1)).sqrt()


def right(x):
    return norm(x - x.mean(-2, keepdim=True)) / norm(x)


def by_torch(x):
    """Right: torch's own matrix norms."""

    def size(m):
        return (torch.linalg.matrix_norm(m, 1) * torch.linalg.matrix_norm(m, float("inf"))).sqrt()

    return size(x - x.mean(1, keepdim=True)) / size(x)


def with_a_matrix(x):
    """Right: the mean is taken away by a matrix."""
    n = x.shape[1]
    return norm((torch.eye(n, dtype=x.dtype) - 1 / n) @ x) / norm(x)


def text_by_text(x):
    """Right: one text at a time, the root at the end."""
    return torch.stack([right(text) for text in x])


WRONG = [
    # the median token
    (lambda x: norm(x - x.median(-2, keepdim=True).values) / norm(x), "1 text, 2 tokens, 2 features"),
    # divided by the deviation, too
    (lambda x: right((x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)), "1 text, 2 tokens, 2 features"),
    # smallest sums
    (
        lambda x: ((m := (x - x.mean(-2, keepdim=True)).abs()).sum(-2).amin(-1) * m.sum(-1).amin(-1)).sqrt() / norm(x),
        "1 text, 2 tokens, 2 features",
    ),
    # the mean over the texts at the end
    (lambda x: right(x).mean(), "Your output has shape (), it should have (1,): (…, text)"),
    # a column of numbers
    (lambda x: right(x)[:, None], "Your output has shape (1, 1), it should have (1,)"),
    # in single precision
    (lambda x: right(x.float()), "Your output is float32, the inputs are float64"),
    # without a gradient
    (lambda x: right(x.detach()), "gradient"),
    # the mean added
    (lambda x: norm(x + x.mean(-2, keepdim=True)) / norm(x), "1 text, 2 tokens, 2 features"),
]

RIGHT = [right, by_torch, with_a_matrix, text_by_text]
