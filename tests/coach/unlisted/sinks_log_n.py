"""Answers to sinks.log_n: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def seen(n):
    return torch.arange(1, n + 1, dtype=torch.float64)[:, None]


def weights(q, k, factor):
    n, d = q.shape[-2:]
    s = factor * (q @ k.mT) / math.sqrt(d)
    return s.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -math.inf).softmax(-1)


def right(q, k, s):
    """Right: the factor on the scores."""
    return weights(q, k, s * seen(q.shape[-2]).log())


def on_the_queries(q, k, s):
    """Right: on the queries, where it costs least."""
    return weights(q * s * seen(q.shape[-2]).log(), k, 1.0)


def by_the_mask(q, k, s):
    """Right: n counted from the mask."""
    n, d = q.shape[-2:]
    visible = torch.ones(n, n, dtype=torch.bool).tril()
    scores = torch.einsum("...id,...jd->...ij", q, k) * d**-0.5
    scores = scores * (s * visible.sum(-1, keepdim=True).to(q.dtype).log())
    return torch.where(visible, scores, -1e30).softmax(-1)


def by_powers(q, k, s):
    """Right: n^(s · score), with the row's greatest taken off."""
    n, d = q.shape[-2:]
    scores = (q @ k.mT / d**0.5).masked_fill(torch.arange(n) > torch.arange(n)[:, None], -math.inf)
    scores = scores - scores.amax(-1, keepdim=True)
    powers = torch.where(scores.isinf(), 0.0, seen(n) ** (s * scores.masked_fill(scores.isinf(), 0.0)))
    return powers / powers.sum(-1, keepdim=True)


def unguarded_powers(q, k, s):
    n, d = q.shape[-2:]
    powers = (seen(n) ** (s * (q @ k.mT / d**0.5))).tril()
    return powers / powers.sum(-1, keepdim=True)


WRONG = [
    # scores, not weights
    (
        lambda q, k, s: (q @ k.mT / q.shape[-1] ** 0.5 * s * seen(q.shape[-2]).log()).tril(),
        "A row of weights sums to one; yours of query 1 sums to -0.4328.",
    ),
    # scores with −∞
    (
        lambda q, k, s: (q @ k.mT * s).masked_fill(torch.ones(len(q), len(q), dtype=torch.bool).triu(1), -math.inf),
        "Your output is infinite at 1 of 4 places.",
    ),
    # the root of n
    (lambda q, k, s: weights(q, k, s * seen(q.shape[-2]).sqrt()), "The largest difference is at query 1"),
    # s as a power
    (lambda q, k, s: weights(q, k, seen(q.shape[-2]).log() ** s), "The case: 3 tokens, s = 0.4."),
    # log(1 + s n)
    (lambda q, k, s: weights(q, k, torch.log1p(s * seen(q.shape[-2]))), "The largest difference is at query 1"),
    # log(1 + s (n − 1)): right where s is 1
    (
        lambda q, k, s: weights(q, k, torch.log1p(s * (seen(q.shape[-2]) - 1))),
        "it should be 0.1956, yours is 0.1597. The case: 3 tokens, s = 0.4.",
    ),
    # whole numbers of nats
    (lambda q, k, s: weights(q, k, s * seen(q.shape[-2]).log().ceil()), "The largest difference is at query 1"),
    # the factor on both q and k: k's own position counts too
    (
        lambda q, k, s: weights(q * seen(q.shape[-2]).log().sqrt(), k * seen(q.shape[-2]).log().sqrt(), s),
        "The largest difference is at query 1",
    ),
    # d counted from the wrong axis
    (
        lambda q, k, s: right(q, k, s * math.sqrt(q.shape[-1] / q.shape[-2])),
        "The case: 3 tokens, s = 1.",
    ),
    # powers that overflow
    (unguarded_powers, "Your output has NaN at 1 of 16 places. The case: 4 tokens whose scores go into the thousands."),
    # n taken from the front
    (
        lambda q, k, s: weights(q, k, s * seen(len(q)).log()),
        "It was right with fewer leading axes (batches, heads): look for an axis that is counted from the front",
    ),
    # mask after the softmax
    (
        lambda q, k, s: (q @ k.mT / q.shape[-1] ** 0.5 * s * seen(q.shape[-2]).log()).softmax(-1).tril(),
        "A row of weights sums to one; yours of query 0 sums to 0.5.",
    ),
    # over the queries
    (
        lambda q, k, s: weights(q, k, s * seen(q.shape[-2]).log()).mT.softmax(-1),
        "sees the keys 0 …",
    ),
    # the hidden multiplied away
    (
        lambda q, k, s: (s * seen(q.shape[-2]).log() * (q @ k.mT) / q.shape[-1] ** 0.5).tril().softmax(-1),
        "Query 0 sees the keys 0 … 0; yours gives key 1 a weight of 0.5.",
    ),
    # the past hidden
    (
        lambda q, k, s: weights(q.flip(-2), k.flip(-2), s * seen(q.shape[-2]).log()).flip((-2, -1)),
        "Query 0 sees the keys 0 … 0; yours gives key 1 a weight of",
    ),
    # weights raised to a power, and not divided again
    (
        lambda q, k, s: weights(q, k, 1.0) ** (s * seen(q.shape[-2]).log()),
        "Query 0 sees the keys 0 … 0; yours gives key 1 a weight of 1.",
    ),
    # a bias that counts the keys
    (
        lambda q, k, s: (
            (q @ k.mT / q.shape[-1] ** 0.5 + (s * seen(q.shape[-2]).mT).log())
            .masked_fill(torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1), -math.inf)
            .softmax(-1)
        ),
        "The largest difference is at query 1",
    ),
    # s below the line
    (lambda q, k, s: right(q, k, 1 / s), "The case: 3 tokens, s = 0.4."),
    # the factor once on q and once on the scores
    (
        lambda q, k, s: weights(q * seen(q.shape[-2]).log(), k, s * seen(q.shape[-2]).log()),
        "The largest difference is at query 1",
    ),
    # without gradient
    (lambda q, k, s: right(q.detach(), k, s), "no gradient reaches q"),
    # one too early: a query does not see its own key
    (
        lambda q, k, s: weights(q, k.roll(1, -2), s * seen(q.shape[-2]).log()),
        "The largest difference is at query 1",
    ),
    # a factor for the batch's axis
    (
        lambda q, k, s: weights(
            q, k, s * torch.arange(1, q.shape[0] + 1, dtype=q.dtype).log().view(-1, *[1] * (q.dim() - 1))
        ),
        "It was right with fewer leading axes",
    ),
]

RIGHT = [right, on_the_queries, by_the_mask, by_powers]
