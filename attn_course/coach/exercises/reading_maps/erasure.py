"""Hide each key in turn, and see how far the output moves."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_erasure(weights: Tensor, values: Tensor) -> Tensor:
    """Row by row, key by key: the other weights, made to sum to one again, and the distance of the two outputs."""
    if weights.dim() > 2:
        return torch.stack([slow_erasure(w, v) for w, v in zip(weights, values, strict=True)])
    moved = torch.zeros_like(weights)
    for i, row in enumerate(weights):
        for j in range(len(row)):
            others = [k for k in range(len(row)) if k != j]
            left = sum(row[k] for k in others)
            without = sum(row[k] / left * values[k] for k in others) if left > 0 else 0 * values[0]
            gap = sum(w * v for w, v in zip(row, values, strict=True)) - without
            moved[i, j] = gap.square().sum().sqrt()
    return moved


def _shared(kept: Tensor, axis: int = -1) -> Tensor:
    total = kept.sum(axis, keepdim=True)
    return kept / total.masked_fill(total == 0, 1)


def _hidden(weights: Tensor, j: int) -> Tensor:
    return weights.masked_fill(torch.arange(weights.shape[-1]) == j, 0)


def _with(
    hide: Callable = _hidden,
    rest: Callable = _shared,
    distance: Callable = lambda gap, whole: gap.norm(dim=-1),
) -> Callable:
    """The solution with another way to hide key j, to treat what remains, or to measure the gap of the outputs."""

    def answer(weights, values):
        whole = weights @ values  # (…, query, d)
        keys = range(weights.shape[-1])
        return torch.stack([distance(whole - rest(hide(weights, j)) @ values, whole) for j in keys], dim=-1)

    return answer


def _row_hidden(weights: Tensor, j: int) -> Tensor:
    return weights.masked_fill((torch.arange(weights.shape[-2]) == j)[:, None], 0)


def _softmaxed(kept: Tensor) -> Tensor:
    return kept.masked_fill(kept == 0, -torch.inf).softmax(-1).nan_to_num(0.0)


def _closed(weights: Tensor, values: Tensor) -> Tensor:
    gaps = values[..., None, :, :] - (weights @ values)[..., :, None, :]  # (…, query, key, d)
    return weights / (1 - weights) * gaps.norm(dim=-1)


def _nothing_moves(weights: Tensor, values: Tensor) -> Tensor:
    """Where no weight remains, a distance of 0."""
    left = weights.sum(-1, keepdim=True) - weights
    return _with()(weights, values).masked_fill(left.abs() < 1e-12, 0)


def _value_moved(weights: Tensor, values: Tensor) -> Tensor:
    mean = values.mean(-2, keepdim=True)
    return weights * (values - mean).norm(dim=-1)[..., None, :]


def _unseen_is_unmissed(out: Tensor, weights: Tensor, values: Tensor) -> str | None:
    wrong = ((weights == 0) & (out.abs() > 1e-9)).nonzero()
    if not len(wrong):
        return None
    i, j = wrong[0, -2:].tolist()
    return f"Query {i} pays key {j} nothing, so hiding it cannot move the output: the distance there is 0."


def _maps(*shape: int, seed: int) -> Tensor:
    return random(*shape, seed=seed).softmax(-1)


def _causal(n: int, seed: int) -> Tensor:
    return random(n, n, seed=seed).masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -torch.inf).softmax(-1)


def _padded(n: int, seed: int) -> Tensor:
    """Causal, and the first token is filler: nobody looks at it, and it sees nothing."""
    weights = _causal(n, seed)
    weights[:, 0] = 0
    return _shared(weights)


_TWO = torch.tensor([[0.5, 0.5], [0.25, 0.75]], dtype=torch.float64)

TASK = Task(
    id="reading-maps.erasure",
    reference=slow_erasure,
    cases=(
        Case("2 queries, 2 keys", (_TWO, torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64))),
        Case("2 keys with the same value (expected: zeros)", (_TWO, torch.ones(2, 3, dtype=torch.float64))),
        Case("3 tokens, causal: the first sees only itself", (_causal(3, seed=2), random(3, 2, seed=3))),
        Case("4 tokens, causal, the first is filler: its row is zeros", (_padded(4, seed=4), random(4, 3, seed=5))),
        Case("2 sentences, 2 heads, 5 queries, 4 keys", (_maps(2, 2, 5, 4, seed=6), random(2, 2, 4, 3, seed=7))),
    ),
    axes=("query", "key"),
    gradients=False,
    properties=(_unseen_is_unmissed,),
    mistakes=(
        Mistake(
            "rest_not_shared_out",
            "The key's part was taken out of the sum, and the other weights stayed as they were (a value set to zero "
            "does the same). That is the weight times the length of the value: what the key gives, not what is missed "
            "without it. Divide the remaining weights by their sum.",
            _with(rest=lambda kept: kept),
        ),
        Mistake(
            "shared_down_the_column",
            "The remaining weights were divided by the sums of the *columns* (axis −2). Each query spends its "
            "attention alone: divide each row by its own sum.",
            _with(rest=lambda kept: _shared(kept, axis=-2)),
        ),
        Mistake(
            "query_hidden",
            "You hid row j: a query. Then only its own output changes. Hidden is *key* j, a column, and every query "
            "that looked at it may miss it.",
            _with(hide=_row_hidden),
        ),
        Mistake(
            "softmax_again",
            "You put the remaining weights through a softmax. They are shares already; a second softmax levels them. "
            "Divide them by their sum.",
            _with(rest=_softmaxed),
        ),
        Mistake(
            "kept_instead",
            "You kept key j and hid all others.",
            _with(hide=lambda w, j: w.masked_fill(torch.arange(w.shape[-1]) != j, 0)),
        ),
        Mistake(
            "not_a_number",
            "Where nothing remains, 0 / 0 is not a number: a query that sees one key only, and that one hidden; a "
            "filler's row, which is empty from the start. The output without the key is zeros there: divide by 1 where "
            "the sum is 0.",
            _with(rest=lambda kept: kept / kept.sum(-1, keepdim=True)),
        ),
        Mistake(
            "closed_and_not_a_number",
            "A / (1 − A) is a good short cut, until a query spends everything on one key: then it is 1 / 0. Nothing "
            "remains without that key, so the output becomes zeros, and the distance is its length.",
            _closed,
        ),
        Mistake(
            "nothing_moves",
            "Where a query sees one key only, you return 0, as if it were not missed. Nothing remains without it: the "
            "output becomes zeros, so the distance is the length of the output.",
            _nothing_moves,
        ),
        Mistake(
            "squared",
            "This is the squared distance. Take the root, so that it has the unit of the output.",
            _with(distance=lambda gap, whole: gap.square().sum(-1)),
        ),
        Mistake(
            "sum_of_gaps",
            "You added up the absolute differences, feature by feature. Asked is the Euclidean distance, which does "
            "not depend on how the features' axes are turned.",
            _with(distance=lambda gap, whole: gap.abs().sum(-1)),
        ),
        Mistake(
            "mean_over_features",
            "You averaged over the features (a mean of squares, then the root). A distance adds them up.",
            _with(distance=lambda gap, whole: gap.square().mean(-1).sqrt()),
        ),
        Mistake(
            "lengths_compared",
            "You compared the *lengths* of the two outputs. An output can turn round and stay as long: take the length "
            "of the difference.",
            _with(distance=lambda gap, whole: (whole.norm(dim=-1) - (whole - gap).norm(dim=-1)).abs()),
        ),
        Mistake(
            "relative",
            "The distance is divided by the length of the output. Asked is the distance itself.",
            _with(distance=lambda gap, whole: gap.norm(dim=-1) / whole.norm(dim=-1).clamp(min=1e-12)),
        ),
        Mistake(
            "mean_in_its_place",
            "You put the mean of all values in the hidden key's place, and left the weights. Hidden means that the "
            "others share its weight.",
            _value_moved,
        ),
    ),
)
