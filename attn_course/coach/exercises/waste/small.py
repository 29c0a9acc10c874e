"""Which share of a map's weights is small? Hidden cells are no weights."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_small(weights: Tensor, visible: Tensor, epsilon: float) -> Tensor:
    """Cell by cell: of the cells that the queries may look at, how many hold less than ε?"""
    lead, (n_query, n_key) = weights.shape[:-2], weights.shape[-2:]
    seen = visible.expand(weights.shape).reshape(-1, n_query, n_key)
    shares = []
    for rows, may in zip(weights.reshape(-1, n_query, n_key), seen, strict=True):
        held = [float(rows[i, j]) for i in range(n_query) for j in range(n_key) if may[i, j]]
        shares.append(sum(weight < epsilon for weight in held) / len(held))
    return torch.tensor(shares, dtype=weights.dtype).reshape(lead)


def _with(
    below: Callable = lambda w, epsilon, seen: w < epsilon,
    seen: Callable = lambda w, visible: visible.expand(w.shape),
    share: Callable = lambda small, seen: small.sum((-2, -1)) / seen.sum((-2, -1)),
) -> Callable:
    """The solution with one part exchanged for a wrong one. `share` is given numbers, not True and False."""

    def answer(weights, visible, epsilon):
        may = seen(weights, visible)
        return share((below(weights, epsilon, may) & may).to(weights.dtype), may.to(weights.dtype))

    return answer


def _mean_of_rows(small: Tensor, seen: Tensor) -> Tensor:
    return (small.sum(-1) / seen.sum(-1)).mean(-1)


def _mass(weights: Tensor, visible: Tensor, epsilon: float) -> Tensor:
    return (weights * ((weights < epsilon) & visible)).sum((-2, -1)) / weights.sum((-2, -1))


def _within_one(out: Tensor, *_) -> str | None:
    return None if ((out >= 0) & (out <= 1)).all() else "A share lies between 0 and 1; yours does not."


def _map(visible: Tensor, *lead: int, seed: int, by: float = 1.0) -> Tensor:
    scores = by * random(*lead, *visible.shape[-2:], seed=seed)
    return scores.masked_fill(~visible, -torch.inf).softmax(-1)


def _case(name: str, visible: Tensor, epsilon: float, *lead: int, seed: int, by: float = 1.0) -> Case:
    return Case(name, (_map(visible, *lead, seed=seed, by=by), visible, epsilon))


def _everything(n: int) -> Tensor:
    return torch.ones(n, n, dtype=torch.bool)


def _causal(n: int) -> Tensor:
    return _everything(n).tril()


_EXACT = torch.tensor([[[0.5, 0.25, 0.25], [0.125, 0.625, 0.25], [0.25, 0.5, 0.25]]], dtype=torch.float64)
_PADDED = torch.arange(5) < torch.tensor([3, 5])[:, None]  # two texts, of 3 and of 5 tokens
_PADDED = _PADDED[:, None, None, :].expand(2, 1, 5, 5)

TASK = Task(
    id="waste.small",
    reference=slow_small,
    cases=(
        _case("3 tokens, causal, below 0.3", _causal(3), 0.3, 1, seed=1),
        _case("3 tokens that all see each other, below 0.3", _everything(3), 0.3, 1, seed=2),
        Case("3 tokens, some weights exactly 0.25, below 0.25", (_EXACT, _everything(3), 0.25)),
        _case("6 tokens, causal, below 0.1", _causal(6), 0.1, 1, seed=3),
        _case("4 tokens, causal, weights so small that they are 0", _causal(4), 0.01, 1, seed=4, by=1000.0),
        _case("2 texts of 3 and 5 tokens, 2 heads, below 0.15", _PADDED, 0.15, 2, 2, seed=5),
        _case("2 texts, 3 heads, 8 tokens, causal, below 0.05", _causal(8), 0.05, 2, 3, seed=6, by=2.0),
    ),
    axes=("head",),
    gradients=False,
    properties=(_within_one,),
    mistakes=(
        Mistake(
            "hidden_counted",
            "Cells that no query may look at are counted as small weights. They are no weights at all, and in a causal "
            "map they are nearly half of the cells: count what is visible, and divide by what is visible.",
            lambda weights, visible, epsilon: (weights < epsilon).to(weights.dtype).mean((-2, -1)),
        ),
        Mistake(
            "divided_by_all_cells",
            "You count the visible weights below ε, and divide by all cells. Divide by the number of visible ones.",
            _with(share=lambda small, seen: small.mean((-2, -1))),
        ),
        Mistake(
            "mean_of_rows",
            "This is the mean of the rows' shares. The first row of a causal map holds a single weight, and it counts "
            "as much here as the longest row. Add up over the whole map first, then divide.",
            _with(share=_mean_of_rows),
        ),
        Mistake(
            "not_strictly",
            "A weight of exactly ε is not below it: `<`, not `<=`.",
            _with(below=lambda w, epsilon, seen: w <= epsilon),
        ),
        Mistake(
            "the_others",
            "This is the share of the weights that are *not* below ε.",
            _with(below=lambda w, epsilon, seen: w >= epsilon),
        ),
        Mistake(
            "mass",
            "You added the small weights up: what share of the *attention* they hold. Asked is what share of the "
            "weights they are. (Both are worth knowing, and they are far apart.)",
            _mass,
        ),
        Mistake(
            "zeros_are_no_weights",
            "You took every weight above 0 for visible. A weight can be visible and so small that it is rounded to 0: "
            "it counts, and it is below ε. Go by `visible`.",
            _with(seen=lambda w, visible: w > 0),
        ),
        Mistake(
            "against_the_even_share",
            "You compared with ε times the even share (1 / number of visible keys). That is often the better question, "
            "but here ε is a bound for the weight itself.",
            _with(below=lambda w, epsilon, seen: w * seen.sum(-1, keepdim=True) < epsilon),
        ),
        Mistake(
            "against_the_largest",
            "You compared with ε times the largest weight of the row. Here ε is a bound for the weight itself, the "
            "same in every row.",
            _with(below=lambda w, epsilon, seen: w < epsilon * w.amax(-1, keepdim=True)),
        ),
        Mistake(
            "how_many",
            "This is how many there are. Divide by the number of visible weights.",
            _with(share=lambda small, seen: small.sum((-2, -1))),
        ),
        Mistake(
            "row_by_row",
            "You return a share for each query. One number for each head is asked: all its rows together.",
            _with(share=lambda small, seen: small.sum(-1) / seen.sum(-1)),
        ),
    ),
)
