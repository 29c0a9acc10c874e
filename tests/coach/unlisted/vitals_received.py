"""Answers to vitals.received: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def strips(q, k, lse, columns, of_keys):
    """`of_keys(scores, seen, number of the first key)` for each strip of keys, laid end to end."""
    n, d = q.shape[-2:]
    found = []
    for first in range(0, n, columns):
        part = k[..., first : first + columns, :]
        j = torch.arange(first, first + part.shape[-2])
        found.append(of_keys(q @ part.mT / math.sqrt(d), torch.arange(n)[:, None] >= j, first))
    return torch.cat(found, dim=-1)


def right(q, k, lse, columns):
    return strips(q, k, lse, columns, lambda s, seen, _: (s - lse[..., None]).exp().where(seen, 0).sum(-2))


def accumulated(q, k, lse, columns):
    """Right: queries in strips after all, each adding what it gives."""
    n, d = q.shape[-2:]
    out = torch.zeros_like(lse)
    for first in range(0, n, columns):
        last = min(n, first + columns)
        s = q[..., first:last, :] @ k[..., :last, :].mT / math.sqrt(d)
        hidden = torch.arange(first, last)[:, None] < torch.arange(last)
        w = (s - lse[..., first:last, None]).masked_fill(hidden, -math.inf).exp()
        out[..., :last] += w.sum(-2)
    return out


def by_later_queries(q, k, lse, columns):
    """Right: for each key only the queries that see it."""
    found = []
    for j in range(q.shape[-2]):
        s = (q[..., j:, :] @ k[..., j, :, None])[..., 0] / math.sqrt(q.shape[-1])
        found.append((s - lse[..., j:]).logsumexp(-1).exp())
    return torch.stack(found, dim=-1)


def one_more_feature(q, k, lse, columns):
    """Right: −lse as one more feature of the queries, so that the scores are logarithms of weights."""
    q, k = torch.cat([q / math.sqrt(q.shape[-1]), -lse[..., None]], -1), torch.cat([k, torch.ones_like(k[..., :1])], -1)
    d = q.shape[-1]
    return strips(q * math.sqrt(d), k, lse, columns, lambda s, seen, _: s.masked_fill(~seen, -math.inf).exp().sum(-2))


def collected(q, k, lse, columns):
    """All strips kept before they are added up."""
    kept = []
    strips(q, k, lse, columns, lambda s, seen, _: kept.append((s - lse[..., None]).exp().where(seen, 0)) or s.sum(-2))
    return torch.cat([w.sum(-2) for w in kept], dim=-1)


WRONG = [
    (collected, "the whole map was there at some moment"),
    # a query's own key is left out
    (
        lambda q, k, lse, columns: strips(
            q,
            k,
            lse,
            columns,
            lambda s, seen, first: (s - lse[..., None]).exp().where(seen, 0).tril(-1 - first).sum(-2),
        ),
        "queries spend a whole row each, so the keys receive",
    ),
    # the sum over the keys of the strip
    (
        lambda q, k, lse, columns: strips(
            q, k, lse, columns, lambda s, seen, _: (s - lse[..., None]).exp().where(seen, 0).sum(-1)
        ),
        "The largest difference is at",
    ),
    # as a share of all
    (
        lambda q, k, lse, columns: right(q, k, lse, columns) / right(q, k, lse, columns).sum(-1, keepdim=True),
        "You divided by the number of queries",
    ),
    # scaled twice
    (lambda q, k, lse, columns: right(q / math.sqrt(q.shape[-1]), k, lse, columns), "spend a whole row each"),
    # lse added
    (lambda q, k, lse, columns: right(q, k, -lse, columns), "spend a whole row each"),
    # lse forgotten
    (lambda q, k, lse, columns: right(q, k, 0 * lse, columns), "spend a whole row each"),
    # keys and queries exchanged
    (lambda q, k, lse, columns: right(k, q, lse, columns), "spend a whole row each"),
    # in the other order
    (lambda q, k, lse, columns: right(q, k, lse, columns).flip(-1), "The largest difference is at"),
    # spread evenly
    (lambda q, k, lse, columns: torch.ones_like(lse), "so every key receives exactly 1"),
    # single precision
    (lambda q, k, lse, columns: right(q.float(), k.float(), lse.float(), columns), "Your output is float32"),
    # a constant size of strip
    (lambda q, k, lse, columns: right(q, k, lse, 2)[..., :columns], "it should have (4,)"),
]

RIGHT = [right, accumulated, by_later_queries, one_more_feature]
