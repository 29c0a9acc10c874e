"""Scores that grow with the logarithm of what a query sees, so that a lead is worth the same in any text."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_log_n(q: Tensor, k: Tensor, s: float) -> Tensor:
    """Chiang and Cholak (2022, 2202.12172), query by query, over the keys 0 … i that query i sees."""
    n, d = q.shape[-2:]
    rows = []
    for i in range(n):
        scores = (k[..., : i + 1, :] @ q[..., i, :, None])[..., 0] * (s * math.log(i + 1) / math.sqrt(d))
        weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
        later = torch.zeros_like(q[..., 0, :1]).expand(*weights.shape[:-1], n - i - 1)
        rows.append(torch.cat([weights, later], dim=-1))
    return torch.stack(rows, dim=-2)


def _seen(n: int) -> Tensor:
    """(query, 1): the keys that each query sees, itself among them."""
    return torch.arange(1, n + 1, dtype=torch.float64)[:, None]


def _factor(n: int, s: float) -> Tensor:
    return s * _seen(n).log()


def _past(scores: Tensor) -> Tensor:
    n = scores.shape[-1]
    return scores.masked_fill(torch.arange(n) > torch.arange(n)[:, None], -math.inf)


def _with(
    factor: Callable = _factor,
    divide: Callable = math.sqrt,
    hide: Callable = _past,
    put: Callable = lambda scores, factor: scores * factor,
    after: Callable = lambda weights, factor: weights,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(q, k, s):
        n, d = q.shape[-2:]
        scores = q @ k.transpose(-2, -1) / divide(d)
        by = factor(n, s)
        return after(hide(put(scores, by)).softmax(-1), by)

    return answer


def _rows_sum_to_one(out: Tensor, q: Tensor, k: Tensor, s: float) -> str | None:
    total = out.sum(-1)
    if torch.allclose(total, torch.ones_like(total), atol=1e-6):
        return None
    i = int((total - 1).abs().reshape(-1, total.shape[-1]).amax(0).argmax())
    return f"A row of weights sums to one; yours of query {i} sums to {total.reshape(-1, total.shape[-1])[0, i]:.4g}."


def _no_future(out: Tensor, q: Tensor, k: Tensor, s: float) -> str | None:
    later = out.triu(1).abs()
    if (later == 0).all():
        return None
    i, j = later.nonzero()[0, -2:].tolist()
    return f"Query {i} sees the keys 0 … {i}; yours gives key {j} a weight of {out[..., i, j].flatten()[0]:.3g}."


def _lead(n: int, gap: float) -> tuple[Tensor, Tensor]:
    """q and k (n, 1) of one feature: key 0 scores `gap` for every query, all other keys 0."""
    k = torch.zeros(n, 1, dtype=torch.float64)
    k[0, 0] = gap
    return torch.ones_like(k), k


def _case(name: str, *lead: int, n: int, d: int, s: float, seed: int, by: float = 1.0) -> Case:
    return Case(name, (by * random(*lead, n, d, seed=seed), random(*lead, n, d, seed=seed + 1), s))


TASK = Task(
    id="sinks.log_n",
    reference=slow_log_n,
    cases=(
        _case("2 tokens, s = 1", n=2, d=2, s=1.0, seed=1),
        _case("3 tokens, s = 1", n=3, d=2, s=1.0, seed=11),
        _case("3 tokens, s = 0.4", n=3, d=4, s=0.4, seed=21),
        Case("9 tokens, s = 0.5; the first key leads by 2, which is 1/s: it keeps half or more", (*_lead(9, 2.0), 0.5)),
        _case("4 tokens whose scores go into the thousands", n=4, d=3, s=0.5, seed=31, by=2000.0),
        _case("2 sentences, 3 heads, 6 tokens", 2, 3, n=6, d=4, s=0.4, seed=41),
    ),
    axes=("query", "key"),
    refused=FUSED,
    properties=(_no_future, _rows_sum_to_one),
    mistakes=(
        Mistake(
            "plain_softmax",
            "This is plain causal attention. If you *added* s · log n to the scores: a number that is added to a whole "
            "row changes no softmax. Leads have to grow, so multiply.",
            _with(put=lambda scores, factor: scores),
        ),
        Mistake(
            "whole_length",
            "You took the logarithm of the whole length for every query. Query i sees i + 1 keys, and that many share "
            "its row: log(i + 1). (A model that writes token by token could not know the whole length.)",
            _with(factor=lambda n, s: torch.full((n, 1), s * math.log(n), dtype=torch.float64)),
        ),
        Mistake(
            "log_2",
            "This is the logarithm to base 2. The argument needs e^(lead · s · log n) = n^(s · lead), so the natural "
            "one.",
            _with(factor=lambda n, s: s * _seen(n).log2()),
        ),
        Mistake(
            "log_10",
            "This is the logarithm to base 10. The argument needs e^(lead · s · log n) = n^(s · lead), so the natural "
            "one.",
            _with(factor=lambda n, s: s * _seen(n).log10()),
        ),
        Mistake(
            "one_key_less",
            "Off by one: counted from 0, query i sees i + 1 keys, itself among them. (For the first one, log 0 is −∞, "
            "hence the NaN.)",
            _with(factor=lambda n, s: s * (_seen(n) - 1).log()),
        ),
        Mistake(
            "one_key_less_clamped",
            "Off by one: counted from 0, query i sees i + 1 keys, itself among them. (You met log 0 at the first one "
            "and clamped it, but all others are late by one too.)",
            _with(factor=lambda n, s: s * (_seen(n) - 1).clamp(min=1).log()),
        ),
        Mistake(
            "one_key_more",
            "Off by one: counted from 0, query i sees i + 1 keys, not i + 2. Where it sees only itself, log 1 = 0 does "
            "no harm: a row of one key is 1 whatever its score.",
            _with(factor=lambda n, s: s * (_seen(n) + 1).log()),
        ),
        Mistake(
            "keys_that_follow",
            "You count the keys from the query on, n − i, which are those that it does not see, and its own. It sees "
            "those up to itself: i + 1.",
            _with(factor=lambda n, s: s * _seen(n).flip(0).log()),
        ),
        Mistake(
            "one_added",
            "You took 1 + s · log n, perhaps so that the first query has no factor of 0. It needs none: it sees one "
            "key, whose weight is 1 at any score.",
            _with(factor=lambda n, s: 1 + s * _seen(n).log()),
        ),
        Mistake(
            "at_least_one",
            "You kept the factor at 1 or more. Then short texts are treated in another way than long ones; asked is "
            "s · log n throughout.",
            _with(factor=lambda n, s: (s * _seen(n).log()).clamp(min=1)),
        ),
        Mistake(
            "s_inside",
            "s stands inside your logarithm: log(s · n) = log s + log n shifts the factor by the same amount at any "
            "length. s multiplies: s · log n.",
            _with(factor=lambda n, s: (s * _seen(n)).log()),
        ),
        Mistake(
            "s_forgotten",
            "s is not used: your factor is log n.",
            _with(factor=lambda n, s: _seen(n).log()),
        ),
        Mistake(
            "no_logarithm",
            "You multiplied by s · n, without the logarithm. Leads then grow so fast that soon every row is one key.",
            _with(factor=lambda n, s: s * _seen(n)),
        ),
        Mistake(
            "power_of_n",
            "You multiplied by n^s, which is e^(s · log n). The factor is s · log n itself: it is in the weight that "
            "it becomes a power of n, n^(s · lead).",
            _with(factor=lambda n, s: _seen(n) ** s),
        ),
        Mistake(
            "by_key",
            "Your factor counts with the *key*: column j was multiplied by s · log(j + 1). How many keys share a row "
            "depends on the query: one factor a row.",
            _with(factor=lambda n, s: _factor(n, s).mT),
        ),
        Mistake(
            "divided",
            "You divided by s · log n. That levels long rows still further; leads have to grow, so multiply.",
            _with(put=lambda scores, factor: scores / factor),
        ),
        Mistake(
            "in_place_of_the_scale",
            "The factor stands *beside* 1/√d, not in its place: the one is for the number of features, the other for "
            "the number of keys.",
            _with(divide=lambda d: 1.0),
        ),
        Mistake(
            "divided_by_d",
            "You divided by d. The scale is 1/√d.",
            _with(divide=lambda d: d),
        ),
        Mistake(
            "after_the_softmax",
            "You multiplied the weights, after the softmax, so that rows no longer sum to one. The scores grow, before "
            "it.",
            _with(put=lambda scores, factor: scores, after=lambda weights, factor: weights * factor),
        ),
        Mistake(
            "sees_the_future",
            "Later keys are not hidden. Query i sees the keys 0 … i.",
            _with(hide=lambda scores: scores),
        ),
        Mistake(
            "blind_to_itself",
            "Your queries do not see their own key: hide j > i, not j ≥ i. (The first one then sees nothing, and a "
            "softmax of nothing is NaN.)",
            _with(hide=lambda scores: _past(scores).masked_fill(torch.eye(scores.shape[-1]) == 1, -math.inf)),
        ),
        Mistake(
            "hidden_before",
            "You hid the later keys first and multiplied then. At the first query the factor is 0, and 0 · (−∞) is "
            "NaN: multiply, then hide.",
            _with(hide=lambda scores: scores, put=lambda scores, factor: _past(scores) * factor),
        ),
    ),
)
