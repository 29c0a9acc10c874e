"""Sinks that do nothing: keys that take much attention and have little to give."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_noop(weights: Tensor, values: Tensor, share: float, quiet: float) -> Tensor:
    """Key by key: what do the queries that may look at it give it, and how long is its value beside the others?"""
    lead, n, d = weights.shape[:-2], weights.shape[-1], values.shape[-1]
    found = []
    for rows, vectors in zip(weights.reshape(-1, n, n), values.reshape(-1, n, d), strict=True):
        lengths = [float(vector.norm()) for vector in vectors]
        for j in range(n):
            given = [float(rows[i, j]) for i in range(j, n)]
            others = sorted(length for other, length in enumerate(lengths) if other != j)
            middle = (others[(n - 2) // 2] + others[(n - 1) // 2]) / 2
            found.append(sum(given) / len(given) > share and lengths[j] < quiet * middle)
    return torch.tensor(found).reshape(*lead, n)


def _given(weights: Tensor) -> Tensor:
    """The mean over the queries j, j + 1, … of what they give key j."""
    n = weights.shape[-1]
    return weights.sum(-2) / torch.arange(n, 0, -1)


def _others(lengths: Tensor, middle: Callable[[Tensor], Tensor]) -> Tensor:
    """`middle` of all lengths but one's own, for each key."""
    n = lengths.shape[-1]
    others = [torch.cat([lengths[..., :j], lengths[..., j + 1 :]], dim=-1) for j in range(n)]
    return torch.stack([middle(each) for each in others], dim=-1)


def _median(x: Tensor) -> Tensor:
    return x.quantile(0.5, dim=-1)


def _with(
    given: Callable = _given,
    length: Callable = lambda v: v.norm(dim=-1),
    middle: Callable = lambda lengths: _others(lengths, _median),
    both: Callable = lambda much, small: much & small,
    small: Callable = lambda length, quiet, middle: length < quiet * middle,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(weights, values, share, quiet):
        lengths = length(values)
        return both(given(weights) > share, small(lengths, quiet, middle(lengths)))

    return answer


def _strongest(weights: Tensor, values: Tensor, share: float, quiet: float) -> Tensor:
    right = _with()(weights, values, share, quiet)
    first = torch.zeros_like(right).scatter(-1, _given(weights).argmax(-1, keepdim=True), True)
    return right & first


def _case(name: str, n: int, seed: int, pull: dict[int, float], lengths: dict[int, float], lead=(), d: int = 3) -> Case:
    """A causal map in which some keys pull (a number added to their scores), and values of length 1 but for some."""
    scores = random(*lead, n, n, seed=seed)
    for j, more in pull.items():
        scores[..., j] += more
    weights = scores.masked_fill(torch.arange(n) > torch.arange(n)[:, None], -torch.inf).softmax(-1)
    values = random(*lead, n, d, seed=seed + 1)
    values = values / values.norm(dim=-1, keepdim=True) * (1 + 0.1 * torch.arange(n, dtype=torch.float64)[:, None])
    for j, length in lengths.items():
        values[..., j, :] *= length
    return Case(name, (weights, values, 0.3, 0.3))


TASK = Task(
    id="vitals.noop",
    reference=slow_noop,
    cases=(
        _case("4 tokens, the first takes much and has nothing to give", 4, 1, {0: 3.0}, {0: 0.1}),
        _case("5 tokens, the first takes much and gives as much as any other", 5, 11, {0: 4.0}, {}),
        _case("5 tokens, one of them small and not looked at", 5, 21, {0: 4.0, 3: -4.0}, {3: 0.05}),
        _case("6 tokens, the third a sink with nothing to give", 6, 31, {2: 4.0}, {2: 0.1}),
        _case("6 tokens, the fifth a sink for the few that follow it", 6, 41, {4: 5.0}, {4: 0.1}),
        _case("6 tokens, the third small, and looked at much by one query", 6, 33, {0: 1.0, 2: 0.1}, {2: 0.1}),
        _case("8 tokens, the third small, and looked at a little by all", 8, 35, {0: 1.5, 2: -0.8}, {2: 0.1}),
        _case("7 tokens, two sinks that have nothing to give", 7, 51, {0: 3.5, 3: 4.0}, {0: 0.1, 3: 0.2}),
        _case(
            "7 tokens, two sinks, one of them quiet, and one value a hundred times longer",
            7,
            51,
            {0: 3.5, 3: 4.0},
            {0: 0.1, 5: 100.0},
        ),
        _case("6 tokens, a sink, and one value twice as long as the others", 6, 71, {0: 4.0}, {0: 0.5, 4: 1.8}),
        _case("6 tokens, a sink whose value is four tenths of the others'", 6, 71, {0: 4.0}, {0: 0.5}),
        _case("7 tokens, values of length 0.01 and less all over", 7, 61, {0: 4.0}, {j: 0.01 for j in range(7)}),
        _case(
            "7 tokens, values of length 40 and more, the sink's 4",
            7,
            71,
            {0: 4.0},
            {j: 4.0 if j == 0 else 40.0 for j in range(7)},
        ),
        _case(
            "4 tokens, two of them small: the sink's own value is none of the others", 4, 81, {0: 4.0}, {0: 0.3, 1: 0.2}
        ),
        _case("6 tokens, three of them small, the first a sink", 6, 73, {0: 4.0}, {0: 0.25, 1: 0.2, 4: 0.1}),
        _case("2 sentences, 2 heads, 8 tokens", 8, 91, {0: 3.0, 4: 4.0}, {0: 0.1, 4: 0.1, 6: 0.1}, lead=(2, 2)),
    ),
    axes=("key",),
    gradients=False,
    mistakes=(
        Mistake(
            "every_sink",
            "You return every sink. One that has a value as long as the others' writes something into each token that "
            "looks at it: look at ‖v‖ too.",
            _with(both=lambda much, small: much),
        ),
        Mistake(
            "every_quiet_key",
            "You return every key with a small value. One that nobody looks at is no sink: it must take more than "
            "`share` of the attention too.",
            _with(both=lambda much, small: small),
        ),
        Mistake(
            "either",
            "One of the two is enough for you. A sink that does nothing takes much attention *and* has a small value.",
            _with(both=lambda much, small: much | small),
        ),
        Mistake(
            "loud_sinks",
            "You return the sinks that do something. Asked are those whose value is *smaller* than `quiet` times the "
            "others'.",
            _with(both=lambda much, small: much & ~small),
        ),
        Mistake(
            "over_all_queries",
            "You divided by the number of all queries. A key can only be looked at by those that stand at it or after "
            "it: key j by n − j. Late sinks are lost to you.",
            _with(given=lambda w: w.mean(-2)),
        ),
        Mistake(
            "sum_over_queries",
            "You took the sum of what a key receives, which grows with the text. A share is a mean: divide by the "
            "number of queries that see the key, n − j.",
            _with(given=lambda w: w.sum(-2)),
        ),
        Mistake(
            "along_the_row",
            "You averaged along the rows: what a query gives. What a key gets stands in its column.",
            _with(given=lambda w: w.sum(-1) / torch.arange(w.shape[-1], 0, -1)),
        ),
        Mistake(
            "greatest_weight",
            "You took the greatest weight that a key gets from any query. A sink takes much from most of them: the "
            "mean.",
            _with(given=lambda w: w.amax(-2)),
        ),
        Mistake(
            "strongest_only",
            "You return one sink at most, the strongest. There can be two.",
            _strongest,
        ),
        Mistake(
            "small_at_all",
            "You compare ‖v‖ with `quiet` itself. What is small depends on the others: compare with `quiet` times "
            "their median.",
            _with(small=lambda length, quiet, middle: length < quiet),
        ),
        Mistake(
            "mean_of_the_others",
            "You compare with the mean of the others' lengths. One giant among them makes everybody small; take the "
            "median.",
            _with(middle=lambda lengths: _others(lengths, lambda x: x.mean(-1))),
        ),
        Mistake(
            "squares",
            "You compare squared lengths. ‖v‖ is the root of the sum of squares.",
            _with(length=lambda v: v.square().sum(-1)),
        ),
        Mistake(
            "itself_among_the_others",
            "The median is that of all values, the key's own among them. In a short text, or with several sinks, that "
            "moves it: leave the key's own out.",
            _with(middle=lambda lengths: _median(lengths)[..., None]),
        ),
    ),
)
