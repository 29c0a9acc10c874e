"""A layer without some of its heads: smaller matrices, and the same output as with these heads silent."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.holding import holding_at_most
from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_without(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, heads: int, gone: tuple[int, ...]
) -> Tensor:
    """The output is a sum over heads, each through its own rows of w_o; those that are gone are left out of it."""
    d = w_q.shape[-1] // heads
    total = torch.zeros_like(x)
    for h in range(heads):
        if h in gone:
            continue
        mine = slice(h * d, (h + 1) * d)
        q, k, v = x @ w_q[:, mine], x @ w_k[:, mine], x @ w_v[:, mine]  # (batch, token, d)
        for i in range(x.shape[1]):
            powers = [((q[:, i] * k[:, j]).sum(-1, keepdim=True) / math.sqrt(d)).exp() for j in range(x.shape[1])]
            output = sum(power * v[:, j] for j, power in enumerate(powers)) / sum(powers)
            row = torch.arange(x.shape[1])[:, None] == i
            total = total + row * (output @ w_o[mine])[:, None]
    return total


def of_what_is_left(x, w_q, w_k, w_v, w_o, heads, gone) -> int:
    """Numbers: x's projections and maps for the heads that are left, four times over, and as much again for x."""
    left, n, d = heads - len(gone), x.shape[0] * x.shape[1], w_q.shape[-1] // heads
    return 4 * left * (3 * n * d + n * x.shape[1]) + 2 * x.numel() + 8 * left * d * x.shape[-1]


def _kept(heads: int, gone: tuple[int, ...]) -> list[int]:
    return [h for h in range(heads) if h not in gone]


def _features(kept: list[int], d: int, heads: int) -> list[int]:
    return [h * d + feature for h in kept for feature in range(d)]


def _attend(q: Tensor, k: Tensor, v: Tensor, heads: int, d: float) -> Tensor:
    q, k, v = (z.unflatten(-1, (heads, -1)).transpose(1, 2) for z in (q, k, v))
    return ((q @ k.transpose(-2, -1) / math.sqrt(d)).softmax(-1) @ v).transpose(1, 2).flatten(2)


def _with(
    kept: Callable = _kept,
    features: Callable = _features,
    rows: Callable = lambda mine, kept, d: mine,
    scale: Callable = lambda d, x, kept: d,
    after: Callable = lambda y, heads, kept: y,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(x, w_q, w_k, w_v, w_o, heads, gone):
        d, left = w_q.shape[-1] // heads, kept(heads, gone)
        mine = features(left, d, heads)
        q, k, v = (x @ w[:, mine] for w in (w_q, w_k, w_v))
        joined = _attend(q, k, v, len(left), scale(d, x, left))
        return after(joined @ w_o[rows(mine, left, d)], heads, left)

    return answer


def _silenced(silence: Callable) -> Callable:
    """All heads are computed; `silence` is given the matrices, the joined heads' features and which of them go."""

    def answer(x, w_q, w_k, w_v, w_o, heads, gone):
        d = w_q.shape[-1] // heads
        stays = torch.ones(heads * d, dtype=x.dtype)
        stays[_features(list(gone), d, heads)] = 0
        return silence(x, w_q, w_k, w_v, w_o, heads, d, stays)

    return answer


def _outputs_zeroed(x, w_q, w_k, w_v, w_o, heads, d, stays):
    return (_attend(x @ w_q, x @ w_k, x @ w_v, heads, d) * stays) @ w_o


def _queries_zeroed(x, w_q, w_k, w_v, w_o, heads, d, stays):
    return _attend(x @ (w_q * stays), x @ w_k, x @ w_v, heads, d) @ w_o


def _not_put_together(x, w_q, w_k, w_v, w_o, heads, gone):
    """The heads' outputs are reshaped to (batch, token, features) with the heads still before the tokens."""
    d, left = w_q.shape[-1] // heads, _kept(heads, gone)
    mine = _features(left, d, heads)
    joined = _attend(*(x @ w[:, mine] for w in (w_q, w_k, w_v)), len(left), d)
    return joined.unflatten(-1, (len(left), d)).transpose(1, 2).reshape(joined.shape) @ w_o[mine]


def _numbers_move(heads: int, gone: tuple[int, ...]) -> list[int]:
    left = list(range(heads))
    for h in gone:
        left.pop(h)
    return left


def _case(name: str, batch: int, n: int, d_model: int, heads: int, gone: tuple[int, ...], d: int = 0, **more) -> Case:
    seed, inner = 100 * d_model + 10 * heads + len(gone), (d or d_model // heads) * heads
    x = random(batch, n, d_model, seed=seed)
    w_q, w_k, w_v = (random(d_model, inner, seed=seed + i) / math.sqrt(d_model) for i in (1, 2, 3))
    return Case(name, (x, w_q, w_k, w_v, random(inner, d_model, seed=seed + 4) / math.sqrt(inner), heads, gone), **more)


TASK = Task(
    id="waste.without",
    reference=slow_without,
    cases=(
        _case("2 tokens, 4 features, 2 heads without the first", 1, 2, 4, 2, (0,)),
        _case("3 tokens, 6 features, 3 heads without the second", 1, 3, 6, 3, (1,)),
        _case("3 tokens, 8 features, 4 heads without 0 and 2", 1, 3, 8, 4, (0, 2)),
        _case("3 tokens, 4 features, 2 heads, none gone", 1, 3, 4, 2, ()),
        _case("3 tokens, 4 features, 3 heads of 4 features each, the last gone", 1, 3, 4, 3, (2,), d=4),
        _case(
            "24 tokens, 64 features, 16 heads without all but one",
            *(1, 24, 64, 16, tuple(range(15))),
            within=holding_at_most(of_what_is_left),
        ),
        _case("2 texts of 5 tokens, 12 features, 4 heads without 3 and 1", 2, 5, 12, 4, (3, 1)),
    ),
    axes=("token", "feature"),
    refused=FUSED,
    mistakes=(
        Mistake(
            "silent_but_there",
            "The numbers are right, and nothing became smaller: all heads were computed, and some thrown away. Slice "
            "the matrices before you multiply, so that the heads that are gone are never computed.",
            _silenced(_outputs_zeroed),
        ),
        Mistake(
            "queries_zeroed",
            "A head whose queries are zero is not silent: all its scores are 0, so it attends to every token alike and "
            "adds the mean of their values. What has to go is its output.",
            _silenced(_queries_zeroed),
        ),
        Mistake(
            "the_others_kept",
            "You kept the heads that were to go.",
            _with(kept=lambda heads, gone: list(gone)),
        ),
        Mistake(
            "first_rows_of_w_o",
            "w_o was cut to the right size and in the wrong place: each head has *its own* rows of w_o, with the same "
            "numbers as its columns of the other three.",
            _with(rows=lambda mine, kept, d: slice(0, len(kept) * d)),
        ),
        Mistake(
            "interleaved",
            "You took every n-th feature for a head. A head's features are consecutive: h·d to (h + 1)·d.",
            _with(features=lambda kept, d, heads: [f * heads + h for h in kept for f in range(d)]),
        ),
        Mistake(
            "not_put_together",
            "The heads' outputs are put into a row with the axis of heads still before that of tokens, so features of "
            "one token land at another. Transpose back before you flatten.",
            _not_put_together,
        ),
        Mistake(
            "numbers_move",
            "You take the heads out of a list one after the other, and after the first the others have moved up: the "
            "next number means another head. Choose those that stay, in one step.",
            _with(kept=_numbers_move),
        ),
        Mistake(
            "scaled_up",
            "The output was scaled up by heads / heads left, as dropout does while it trains. These heads are gone for "
            "good, and the output should be that of the layer with them silent.",
            _with(after=lambda y, heads, kept: y * heads / len(kept)),
        ),
        Mistake(
            "scale_of_all_that_stay",
            "The scores are divided by the root of *all* features that stay. Each head's own width d is meant: its "
            "scores are dot products of d numbers.",
            _with(scale=lambda d, x, kept: d * len(kept)),
        ),
        Mistake(
            "scale_of_the_smaller_layer",
            "The scores are divided by √(d_model / heads left). A head keeps its width when others go: divide by √d of "
            "one head.",
            _with(scale=lambda d, x, kept: x.shape[-1] / len(kept)),
        ),
        Mistake(
            "nothing_left_out",
            "This is the layer with all its heads.",
            _with(kept=lambda heads, gone: list(range(heads))),
        ),
    ),
)
