"""What a key takes from those that look back at it, against what it would get if nothing were chosen."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_mass(weights: Tensor) -> Tensor:
    """Gu et al. (2024, 2410.10781): α_k, key by key, beside the α_k of the map in which every row is even."""
    n = weights.shape[-1]
    found = []
    for k in range(n):
        taken = sum(weights[..., t, k] for t in range(k, n)) / (n - k)
        floor = sum(1 / (t + 1) for t in range(k, n)) / (n - k)
        found.append(taken / floor)
    return torch.stack(found, dim=-1)


def _rows(n: int) -> Tensor:
    """(query,): 1 / the number of keys that query t sees."""
    return 1 / torch.arange(1, n + 1, dtype=torch.float64)


def _later(x: Tensor) -> Tensor:
    """The sum of x over the queries t ≥ k, for each k."""
    return x.flip(-1).cumsum(-1).flip(-1)


def _seen_by(n: int) -> Tensor:
    return torch.arange(n, 0, -1)


def _mean_later(weights: Tensor) -> Tensor:
    return weights.sum(-2) / _seen_by(weights.shape[-1])


def _floor(n: int) -> Tensor:
    return _later(_rows(n)) / _seen_by(n)


def _with(
    taken: Callable = _mean_later,
    floor: Callable = _floor,
    join: Callable = lambda taken, floor: taken / floor,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""
    return lambda weights: join(taken(weights), floor(weights.shape[-1]))


def _after_itself(weights: Tensor) -> Tensor:
    n = weights.shape[-1]
    return weights.tril(-1).sum(-2) / (_seen_by(n) - 1)


def _even_is_one(out: Tensor, weights: Tensor) -> str | None:
    n = weights.shape[-1]
    if not torch.allclose(weights, even_map(n).expand_as(weights)) or torch.allclose(out, torch.ones_like(out)):
        return None
    k = int((out - 1).abs().reshape(-1, n).amax(0).argmax())
    return (
        "In this map every query spreads itself evenly over what it sees, so each key gets its floor and no more, 1 "
        f"everywhere; at key {k} you say {out.reshape(-1, n)[0, k]:.4g}."
    )


def even_map(n: int) -> Tensor:
    """(n, n): every row spreads itself evenly over what it sees."""
    return torch.ones(n, n, dtype=torch.float64).tril() * _rows(n)[:, None]


def causal_map(*shape: int, seed: int, pull: dict[int, float] | None = None) -> Tensor:
    """A causal map (…, n, n) of random scores; `pull` is added to the scores of a key."""
    scores = random(*shape, seed=seed)
    for k, more in (pull or {}).items():
        scores[..., k] += more
    n = shape[-1]
    return scores.masked_fill(torch.arange(n) > torch.arange(n)[:, None], -torch.inf).softmax(-1)


_HARD = torch.tensor([[[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]]], dtype=torch.float64)

TASK = Task(
    id="sinks.mass",
    reference=slow_mass,
    cases=(
        Case("2 tokens, every row even (expected: ones)", (even_map(2)[None, None],)),
        Case("2 tokens", (torch.tensor([[[[1.0, 0.0], [0.75, 0.25]]]], dtype=torch.float64),)),
        Case("5 tokens, every row even (expected: ones)", (even_map(5)[None, None],)),
        Case("3 tokens, all of whose attention goes to the first: key 1 is seen twice, and given nothing", (_HARD,)),
        Case("4 tokens, the first a sink", (causal_map(1, 1, 4, 4, seed=1, pull={0: 3.0}),)),
        Case("5 tokens, the third a sink for those that follow it", (causal_map(1, 1, 5, 5, seed=2, pull={2: 4.0}),)),
        Case("1 token: it has only itself to look at", (torch.ones(1, 1, 1, 1, dtype=torch.float64),)),
        Case("2 sentences, 3 heads, 8 tokens", (causal_map(2, 3, 8, 8, seed=3, pull={0: 2.0}),)),
    ),
    axes=("head", "key"),
    gradients=False,
    properties=(_even_is_one,),
    mistakes=(
        Mistake(
            "sum_over_queries",
            "You put the *sum* of what a key takes over its floor, which is a mean. The sum grows with the text, and "
            "the first keys have more queries behind them: divide by n − k, the number of queries t ≥ k.",
            _with(taken=lambda w: w.sum(-2)),
        ),
        Mistake(
            "over_all_queries",
            "You took the mean over all queries. Those before key k cannot look at it, and their zeros make every late "
            "key small: divide the column's sum by n − k.",
            _with(taken=lambda w: w.mean(-2)),
        ),
        Mistake(
            "along_the_row",
            "You added along the rows: what a query gives, which is 1. What a key takes stands in its *column* "
            "(axis −2).",
            _with(taken=lambda w: w.sum(-1) / _seen_by(w.shape[-1])),
        ),
        Mistake(
            "mean_of_the_row",
            "You averaged along the rows (axis −1): what a query gives. What a key takes stands in its *column* "
            "(axis −2).",
            _with(taken=lambda w: w.mean(-1)),
        ),
        Mistake(
            "who_gives_nothing",
            "You divided by the number of queries that give key k something. One that sees it and gives it 0 counts as "
            "well: key k is seen by n − k queries, whatever they do.",
            _with(taken=lambda w: w.sum(-2) / (w > 0).sum(-2)),
        ),
        Mistake(
            "queries_up_to_k",
            "The triangle is turned round: you divide by k + 1, the number of keys that query k sees. Key k is seen by "
            "the queries k, k + 1, … to the last, which are n − k.",
            _with(taken=lambda w: w.sum(-2) / torch.arange(1, w.shape[-1] + 1)),
        ),
        Mistake(
            "not_by_itself",
            "You left the query at k itself out. It sees its own key: the mean is over t ≥ k, not t > k. (The last key "
            "is seen by nobody else, hence the NaN.)",
            _with(taken=_after_itself, floor=lambda n: _later(_rows(n)).sub(_rows(n)) / (_seen_by(n) - 1)),
        ),
        Mistake(
            "mass_without_itself",
            "You left the query at k out of what key k takes. It sees its own key: the mean is over t ≥ k, not t > k.",
            _with(taken=_after_itself),
        ),
        Mistake(
            "mean_of_ratios",
            "You divided each weight by what its own query gives if it is even, and took the mean of that. Asked is "
            "one mean over another: α_k, and the α_k of the even map, each first by itself.",
            lambda w: _mean_later(w / _rows(w.shape[-1])[:, None]),
        ),
        Mistake(
            "floor_one_over_n",
            "Your floor is 1/n, what the *last* query gives each key if it is even. Query t sees only t + 1 keys, and "
            "gives each of them 1/(t + 1): take the mean of that over the queries t ≥ k.",
            _with(floor=lambda n: 1 / n),
        ),
        Mistake(
            "floor_of_the_first",
            "All keys have the first one's floor in your answer, H_n / n. Early queries see few keys and give each of "
            "them much; a late key has no such queries. Its floor is the mean of 1/(t + 1) over t ≥ k alone.",
            _with(floor=lambda n: _floor(n)[0]),
        ),
        Mistake(
            "floor_begun_anew",
            "Your floor for key k is that of a text which begins at k: H over n − k, divided by n − k. But the query "
            "at k sees k + 1 keys, not one: the mean of 1/(t + 1) over t ≥ k.",
            _with(floor=lambda n: (_rows(n).cumsum(0) / torch.arange(1, n + 1)).flip(0)),
        ),
        Mistake(
            "floor_at_k",
            "Your floor is 1/(k + 1), what query k alone gives its keys. All queries t ≥ k look at key k, the later "
            "ones with less for each: take their mean.",
            _with(floor=_rows),
        ),
        Mistake(
            "floor_one_key_more",
            "Off by one in the floor: counted from 0, query t sees t + 1 keys, and gives each 1/(t + 1).",
            _with(floor=lambda n: _later(1 / torch.arange(2, n + 2, dtype=torch.float64)) / _seen_by(n)),
        ),
        Mistake(
            "floor_one_key_less",
            "Off by one in the floor: you divide by t. Counted from 0, query t sees t + 1 keys; the first would see "
            "none, and 1/0 is infinite.",
            _with(floor=lambda n: _later(1 / torch.arange(n, dtype=torch.float64)) / _seen_by(n)),
        ),
        Mistake(
            "no_floor",
            "This is α alone. Early keys have a large one even where nothing is chosen: divide by the floor.",
            _with(join=lambda taken, floor: taken),
        ),
        Mistake(
            "turned_round",
            "This is the floor over what the key takes: turn the fraction round.",
            _with(join=lambda taken, floor: floor / taken),
        ),
        Mistake(
            "excess",
            "You subtracted the floor. Asked is how many *times* the floor a key takes: divide.",
            _with(join=lambda taken, floor: taken - floor),
        ),
        Mistake(
            "greatest_weight",
            "You took the greatest weight that a key gets from any query. A sink takes much from most of them: the "
            "mean.",
            _with(taken=lambda w: w.amax(-2)),
        ),
    ),
)
