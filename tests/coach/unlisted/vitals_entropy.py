"""Answers to vitals.entropy: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import torch


def strips(q, k, rows, of_rows):
    """`of_rows(scores, hidden)` for each strip, laid end to end."""
    n, d = q.shape[-2:]
    found = []
    for first in range(0, n, rows):
        part = q[..., first : first + rows, :]
        i = torch.arange(first, first + part.shape[-2])[:, None]
        found.append(of_rows(part @ k.mT / math.sqrt(d), torch.arange(n) > i))
    return torch.cat(found, dim=-1)


def right(s, hidden):
    s = s.masked_fill(hidden, -math.inf)
    p = s.softmax(-1)
    return -torch.special.xlogy(p, p).sum(-1)


def kept_in_a_list(q, k, rows):
    """The map in a hundred pieces is a map all the same."""
    pieces = []
    strips(q, k, rows, lambda s, hidden: pieces.append(s.masked_fill(hidden, -math.inf).softmax(-1)) or s.sum(-1))
    return torch.cat([torch.special.entr(p).sum(-1) for p in pieces], dim=-1)


def one_mask_for_all(q, k, rows):
    """Scores in strips, but a mask of N × N."""
    n = q.shape[-2]
    hidden = torch.ones(n, n, dtype=torch.bool).triu(1)
    firsts = iter(range(0, n, rows))
    return strips(q, k, rows, lambda s, _: right(s, hidden[(first := next(firsts)) : first + s.shape[-2]]))


def by_keys_seen(q, k, rows):
    """Right: a strip takes only the keys that any of its queries may see."""
    n, d = q.shape[-2:]
    out = q.new_empty(q.shape[:-1])
    for first in range(0, n, rows):
        last = min(n, first + rows)
        s = q[..., first:last, :] @ k[..., :last, :].mT / math.sqrt(d)
        s = s + torch.full((last - first, last), -math.inf, dtype=q.dtype).triu(first + 1)
        log_p = s.log_softmax(-1)
        out[..., first:last] = -(log_p.exp() * log_p.masked_fill(log_p.isinf(), 0)).sum(-1)
    return out


def one_by_one(q, k, rows):
    """Right: strips of a single row, and log-sum-exp less energy."""
    found = []
    for i in range(q.shape[-2]):
        s = (k[..., : i + 1, :] @ q[..., i, :, None])[..., 0] / math.sqrt(q.shape[-1])
        found.append(s.logsumexp(-1) - (s.softmax(-1) * s).sum(-1))
    return torch.stack(found, dim=-1)


def online(q, k, rows):
    """Right: over the keys, too, piece by piece, with m, l and Σ p z carried along."""
    n, d = q.shape[-2:]
    found = []
    for i in range(n):
        m = torch.full((*q.shape[:-2], 1), -1e300, dtype=q.dtype)
        mass = total = torch.zeros_like(m)
        for first in range(0, i + 1, 64):
            s = (k[..., first : min(first + 64, i + 1), :] @ q[..., i, :, None])[..., 0] / math.sqrt(d)
            new = torch.maximum(m, s.amax(-1, keepdim=True))
            down = (m - new).exp()
            z = s - new
            shift = torch.where(mass > 0, (m - new) * mass, 0)
            total = (total + shift) * down + (z.exp() * z).sum(-1, keepdim=True)
            mass, m = mass * down + z.exp().sum(-1, keepdim=True), new
        found.append((mass.log() - total / mass)[..., 0])
    return torch.stack(found, dim=-1)


WRONG = [
    (kept_in_a_list, "the whole map was there at some moment"),
    (one_mask_for_all, "the whole map was there at some moment"),
    # the keys are cut into strips too, and each piece is a row of its own
    (
        lambda q, k, rows: strips(q, k, rows, lambda s, hidden: right(s[..., :rows], hidden[..., :rows]).nan_to_num(0)),
        "The largest difference is at",
    ),
    # log-sum-exp
    (
        lambda q, k, rows: strips(q, k, rows, lambda s, hidden: s.masked_fill(hidden, -math.inf).logsumexp(-1)),
        "so its entropy lies between 0 and log",
    ),
    # e^H: how many keys share the row
    (
        lambda q, k, rows: strips(q, k, rows, lambda s, hidden: right(s, hidden).exp()),
        "so its entropy lies between 0 and log",
    ),
    # the future instead of the past
    (
        lambda q, k, rows: strips(q.flip(-2), k.flip(-2), rows, right).flip(-1),
        "so its entropy lies between 0 and log",
    ),
    # scaled by d
    (
        lambda q, k, rows: strips(q, k, rows, lambda s, hidden: right(s / math.sqrt(q.shape[-1]), hidden)),
        "The largest difference is at",
    ),
    # only the first strip
    (
        lambda q, k, rows: right(q[..., :rows, :] @ k.mT, torch.zeros(1, dtype=torch.bool)),
        "so its entropy lies between 0 and log",
    ),
    # the mean over the queries
    (
        lambda q, k, rows: strips(q, k, rows, right).mean(-1, keepdim=True),
        "Your output has shape (1,), it should have (3,)",
    ),
    # single precision
    (lambda q, k, rows: strips(q.float(), k.float(), rows, right), "Your output is float32, the inputs are float64"),
    # sorted
    (lambda q, k, rows: strips(q, k, rows, right).sort(-1).values, "The largest difference is at"),
    # stops at two axes
    (lambda q, k, rows: strips(q, k.t(), rows, right), "RuntimeError"),
    # a mask of the wrong value
    (
        lambda q, k, rows: strips(q, k, rows, lambda s, hidden: right(s.masked_fill(hidden, 0.0), hidden & False)),
        "so its entropy lies between 0 and log",
    ),
    (lambda q, k, rows: None, "Your function returns None."),
]

RIGHT = [
    lambda q, k, rows: strips(q, k, rows, right),
    by_keys_seen,
    one_by_one,
    online,
    lambda q, k, rows: strips(
        q, k, rows, lambda s, hidden: torch.special.entr(s.masked_fill(hidden, -1e30).softmax(-1)).sum(-1)
    ),
    lambda q, k, rows: strips(
        q, k, rows, lambda s, hidden: torch.distributions.Categorical(logits=s.masked_fill(hidden, -1e30)).entropy()
    ),
]
