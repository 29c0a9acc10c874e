"""What a key receives from all queries, without the map: keys ask, a few at a time."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.holding import holding_at_most
from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_received(q: Tensor, k: Tensor, lse: Tensor, columns: int) -> Tensor:
    """Key by key: the weights that the queries j, j + 1, … give key j, added up."""
    lead, (n, d) = q.shape[:-2], q.shape[-2:]
    found = []
    for queries, keys, logs in zip(q.reshape(-1, n, d), k.reshape(-1, n, d), lse.reshape(-1, n), strict=True):
        for j in range(n):
            s = queries[j:] @ keys[j] / math.sqrt(d)
            found.append((s - logs[j:]).exp().sum())
    return torch.stack(found).reshape(*lead, n)


def log_sum_exp(q: Tensor, k: Tensor) -> Tensor:
    """log Σ e^s of each row, over the keys 0 … i."""
    n, d = q.shape[-2:]
    s = q @ k.transpose(-2, -1) / math.sqrt(d)
    return s.masked_fill(torch.arange(n) > torch.arange(n)[:, None], -math.inf).logsumexp(-1)


def few_strips(q: Tensor, k: Tensor, lse: Tensor, columns: int) -> int:
    return 16 * columns * q.shape[-2] + 8 * q.numel()


def _hidden(first: int, columns: int, n: int) -> Tensor:
    """(query, key of the strip): True where the query stands before the key."""
    return torch.arange(n)[:, None] < torch.arange(first, first + columns)


def _weights(s: Tensor, lse: Tensor, hidden: Tensor, keys: slice) -> Tensor:
    return (s - lse[..., None]).exp().masked_fill(hidden, 0)


def _with(
    weights: Callable = _weights,
    hide: Callable = _hidden,
    divide: Callable = math.sqrt,
    width: Callable = lambda n, columns: columns,
    strips: Callable = lambda n, columns: range(0, n, columns),
    add: Callable = lambda w, hidden: w.sum(-2),
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(q, k, lse, columns):
        n, d = q.shape[-2:]
        columns = width(n, columns)
        found = []
        for first in strips(n, columns):
            keys = slice(first, first + columns)
            s = q @ k[..., keys, :].transpose(-2, -1) / divide(d)  # (…, query, key of the strip)
            hidden = hide(first, s.shape[-1], n)
            found.append(add(weights(s, lse, hidden, keys), hidden))
        return torch.cat(found, dim=-1)

    return answer


def _within_the_strip(s: Tensor, lse: Tensor, hidden: Tensor, keys: slice) -> Tensor:
    return s.masked_fill(hidden, -math.inf).softmax(-1).nan_to_num(0.0)


def _over_the_queries(s: Tensor, lse: Tensor, hidden: Tensor, keys: slice) -> Tensor:
    return s.masked_fill(hidden, -math.inf).softmax(-2)


def _divided_by_the_logarithm(s: Tensor, lse: Tensor, hidden: Tensor, keys: slice) -> Tensor:
    return (s.exp() / lse[..., None]).masked_fill(hidden, 0)


def _of_the_key(s: Tensor, lse: Tensor, hidden: Tensor, keys: slice) -> Tensor:
    return (s - lse[..., None, keys]).exp().masked_fill(hidden, 0)


def _exponentials_apart(s: Tensor, lse: Tensor, hidden: Tensor, keys: slice) -> Tensor:
    return (s.exp() / lse.exp()[..., None]).masked_fill(hidden, 0)


def _energies(s: Tensor, lse: Tensor, hidden: Tensor, keys: slice) -> Tensor:
    return (s - lse[..., None]).masked_fill(hidden, 0)


def _all_is_received(out: Tensor, q: Tensor, k: Tensor, lse: Tensor, columns: int) -> str | None:
    total = out.sum(-1)
    if torch.allclose(total, torch.full_like(total, q.shape[-2]), atol=1e-6):
        return None
    return (
        f"{q.shape[-2]} queries spend a whole row each, so the keys receive {q.shape[-2]} together; yours receive "
        f"{total.flatten()[0]:.4g}."
    )


def _case(name: str, n: int, columns: int, lead: tuple[int, ...] = (), d: int = 4, by: float = 1.0, within=None):
    seed = 10 * n + columns
    q, k = by * random(*lead, n, d, seed=seed), random(*lead, n, d, seed=seed + 1)
    return Case(name, (q, k, log_sum_exp(q, k), columns), within=within)


TASK = Task(
    id="vitals.received",
    reference=slow_received,
    cases=(
        _case("2 tokens, 2 keys at a time", 2, 2),
        _case("4 tokens, 2 keys at a time", 4, 2),
        _case("5 tokens, 2 keys at a time: one is left over", 5, 2),
        _case("4 tokens whose scores go into the thousands", 4, 2, by=2000.0),
        _case("2 sentences, 3 heads, 6 tokens, 4 keys at a time", 6, 4, lead=(2, 3)),
        _case("256 tokens, 4 keys at a time", 256, 4, within=holding_at_most(few_strips)),
        _case("2 sentences, 2 heads, 9 tokens, 2 keys at a time", 9, 2, lead=(2, 2)),
    ),
    axes=("key",),
    gradients=False,
    refused=FUSED,
    properties=(_all_is_received,),
    mistakes=(
        Mistake(
            "whole_map",
            "The numbers are right, but the whole map was there at some moment (in one piece, or strip beside strip): "
            "at 256 tokens that is 65,536 weights. Take `columns` keys at a time, keep nothing of a strip but its "
            "sums, and make its mask for its own keys only.",
            _with(width=lambda n, columns: n),
        ),
        Mistake(
            "within_the_strip",
            "The softmax runs over the keys of the strip alone, as if a query looked at no others. What it divides by "
            "is in lse already, for all keys: a weight is e^(s − lse of its query).",
            _with(_within_the_strip),
        ),
        Mistake(
            "over_the_queries",
            "The softmax runs over the queries, so every key receives exactly 1. Keys ask here, but it is still each "
            "query that shares itself out: a weight is e^(s − lse of its query).",
            _with(_over_the_queries),
        ),
        Mistake(
            "lse_of_the_key",
            "From each score you took the lse of its *key*. lse holds one number a query, the logarithm of what that "
            "query's row adds up to.",
            _with(_of_the_key),
        ),
        Mistake(
            "divided_by_the_logarithm",
            "lse is a logarithm: e^s has to be divided by e^lse, not by lse.",
            _with(_divided_by_the_logarithm),
        ),
        Mistake(
            "exponentials_apart",
            "Right until scores are large: then e^s and e^lse are infinite, and their ratio NaN. Subtract first: "
            "e^(s − lse).",
            _with(_exponentials_apart),
        ),
        Mistake(
            "multiplied_away",
            "Right until scores are large: a query that stands before the key may have a huge score for it, whose "
            "exponential is infinite, and ∞ · 0 is NaN. Put the 0 there instead of multiplying by it: masked_fill or "
            "torch.where.",
            _with(lambda s, lse, hidden, keys: (s - lse[..., None]).exp() * ~hidden),
        ),
        Mistake(
            "no_exponential",
            "s − lse is the logarithm of a weight. Take the exponential before you add.",
            _with(_energies),
        ),
        Mistake(
            "wrong_triangle",
            "The triangle is turned round: key j is seen by the queries j, j + 1, … that stand after it, not by those "
            "before it.",
            _with(hide=lambda first, columns, n: torch.arange(n)[:, None] > torch.arange(first, first + columns)),
        ),
        Mistake(
            "aligned_at_the_strip",
            "The triangle begins anew in every strip. Column c of the strip that begins at `first` is key first + c, "
            "and is seen by the queries from that number on.",
            _with(hide=lambda first, columns, n: _hidden(0, columns, n)),
        ),
        Mistake(
            "seen_by_everyone",
            "Queries that stand before a key look at it too. Key j is seen by the queries j, j + 1, … only.",
            _with(hide=lambda first, columns, n: torch.zeros(n, columns, dtype=torch.bool)),
        ),
        Mistake(
            "last_strip_lost",
            "When `columns` does not divide the number of keys, those left over have no strip in your loop: "
            "range(0, n, columns), with a last strip that may be narrower.",
            _with(strips=lambda n, columns: range(0, n - n % columns, columns)),
        ),
        Mistake(
            "mean",
            "You divided by the number of queries. Asked is the sum: what all rows together give the key.",
            _with(add=lambda w, hidden: w.mean(-2)),
        ),
        Mistake(
            "mean_of_those_who_see",
            "You divided by the number of queries that see the key. A useful number (it is what a sink is known by); "
            "asked here is the sum.",
            _with(add=lambda w, hidden: w.sum(-2) / (~hidden).sum(-2)),
        ),
        Mistake(
            "greatest",
            "You took the greatest weight that a key gets. Asked is what it gets from all queries together.",
            _with(add=lambda w, hidden: w.amax(-2)),
        ),
        Mistake("unscaled", "The scores are not divided by √d.", _with(divide=lambda d: 1.0)),
    ),
)
