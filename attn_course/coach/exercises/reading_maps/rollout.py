"""Attention through all layers in a row, the residual included."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_rollout(maps: Tensor) -> Tensor:
    """Abnar and Zuidema (2020, 2005.00928), path by path: what token j gives to token i in a layer, and onwards."""
    layers, heads, n, _ = maps.shape
    reach = [[float(i == j) for j in range(n)] for i in range(n)]
    for layer in range(layers):
        step = []
        for i in range(n):
            row = [(sum(float(maps[layer, h, i, j]) for h in range(heads)) / heads + (i == j)) / 2 for j in range(n)]
            step.append([cell / sum(row) for cell in row])
        reach = [[sum(step[i][k] * reach[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
    return torch.tensor(reach, dtype=maps.dtype)


def _identity(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype)


def _rows_to_one(x: Tensor, axis: int = -1) -> Tensor:
    return x / x.sum(axis, keepdim=True)


def _step(a: Tensor) -> Tensor:
    return _rows_to_one((a + _identity(a)) / 2)


def _later_first(steps: Tensor) -> Tensor:
    product = _identity(steps)
    for step in steps:
        product = step @ product
    return product


def _with(
    heads: Callable = lambda maps: maps.mean(1), step: Callable = _step, layers: Callable = _later_first
) -> Callable:
    """The solution with other ways to join the heads, to make a layer's step, or to join the layers."""
    return lambda maps: layers(step(heads(maps)))


def _earlier_first(steps: Tensor) -> Tensor:
    return _later_first(steps.flip(0))


def _heads_apart(maps: Tensor) -> Tensor:
    return torch.stack([_later_first(_step(maps[:, h])) for h in range(maps.shape[1])]).mean(0)


def _rows_sum_to_one(out: Tensor, maps: Tensor) -> str | None:
    total = out.sum(-1)
    if ((total - 1).abs() < 1e-9).all():
        return None
    worst = total[(total - 1).abs().argmax()].item()
    return f"A token's shares should add up to one, in a rollout as in a map: one of your rows adds up to {worst:.3g}."


def _maps(layers: int, heads: int, n: int, seed: int, causal: bool = False, filler: int = 0) -> Tensor:
    """Random maps; of a text with `filler` in front, whose tokens see nothing and are not seen."""
    hidden = torch.ones(n, n, dtype=torch.bool).triu(1) if causal else torch.zeros(n, n, dtype=torch.bool)
    hidden[:, :filler] = hidden[:filler] = True
    return random(layers, heads, n, n, seed=seed).masked_fill(hidden, -torch.inf).softmax(-1).nan_to_num(0.0)


TASK = Task(
    id="reading-maps.rollout",
    reference=slow_rollout,
    cases=(
        Case("1 layer, 1 head, 2 tokens", (_maps(1, 1, 2, seed=1),)),
        Case("2 layers, 1 head, 2 tokens", (_maps(2, 1, 2, seed=2),)),
        Case("2 layers, 2 heads, 3 tokens, causal", (_maps(2, 2, 3, seed=3, causal=True),)),
        Case("2 layers, 2 heads, 3 tokens, the first is filler: its row is zeros", (_maps(2, 2, 3, 4, True, 1),)),
        Case("3 layers whose rows add up to 0.6 (a sink without a value took the rest)", (0.6 * _maps(3, 2, 3, 5),)),
        Case("4 layers, 3 heads, 6 tokens, causal", (_maps(4, 3, 6, seed=6, causal=True),)),
    ),
    axes=("query", "key"),
    gradients=False,
    properties=(_rows_sum_to_one,),
    mistakes=(
        Mistake(
            "order_reversed",
            "The layers are multiplied in the wrong order. Rows ask and columns answer, so the *last* layer stands on "
            "the left: what it reads was put there by the layer before, R = Ã₃ Ã₂ Ã₁.",
            _with(layers=_earlier_first),
        ),
        Mistake(
            "no_residual",
            "The residual is missing: the maps were multiplied as they are. Half of what leaves a layer came in at the "
            "same place, past all attention: ½(A + I).",
            _with(step=lambda a: a),
        ),
        Mistake(
            "no_residual_divided",
            "The residual is missing: rows were made to sum to one, but the identity was not added first. Half of what "
            "leaves a layer came in at the same place: ½(A + I). (It also saves the empty rows, which are 0 / 0 now.)",
            _with(step=_rows_to_one),
        ),
        Mistake(
            "rows_not_divided",
            "A row of ½(A + I) sums to one only if A's does. A token that sees nothing, or a sink without a value, "
            "leaves less: divide each row by its sum.",
            _with(step=lambda a: (a + _identity(a)) / 2),
        ),
        Mistake(
            "not_halved",
            "A + I was not brought back to rows that sum to one: they sum to two, and after L layers to 2^L.",
            _with(step=lambda a: a + _identity(a)),
        ),
        Mistake(
            "divided_too_early",
            "Rows were made to sum to one *before* the identity was added. An empty row is 0 / 0 then, and of a sink's "
            "row too much is taken for attention. Add I first, then divide.",
            _with(step=lambda a: (_rows_to_one(a) + _identity(a)) / 2),
        ),
        Mistake(
            "columns_divided",
            "The *columns* were made to sum to one (axis −2). A row is what one token takes from all: divide rows.",
            _with(step=lambda a: _rows_to_one((a + _identity(a)) / 2, axis=-2)),
        ),
        Mistake(
            "heads_apart",
            "Each head was rolled out alone, and the results averaged. But a head of layer 2 reads what *all* heads of "
            "layer 1 wrote: average within the layer, before the product.",
            _heads_apart,
        ),
        Mistake(
            "heads_added",
            "The heads were added up. Then attention outweighs the residual, the more heads the more: take their mean.",
            _with(heads=lambda maps: maps.sum(1)),
        ),
        Mistake(
            "strongest_head",
            "You took the strongest head in each cell. That exists as a variant, but asked was their mean.",
            _with(heads=lambda maps: maps.amax(1)),
        ),
        Mistake(
            "first_head",
            "Only the first head was rolled out.",
            _with(heads=lambda maps: maps[:, 0]),
        ),
        Mistake(
            "layers_averaged",
            "The layers were averaged. What reaches the top goes through one layer *and then* the next: multiply.",
            _with(layers=lambda steps: steps.mean(0)),
        ),
        Mistake(
            "cell_by_cell",
            "The layers were multiplied cell by cell (`*`). A path leads from i to k and on from k to j, and all k "
            "count: that is a matrix product, `@`.",
            _with(layers=lambda steps: steps.prod(0)),
        ),
        Mistake(
            "last_layer",
            "This is the last layer's step alone: the layers below are missing from the product.",
            _with(layers=lambda steps: steps[-1]),
        ),
    ),
)
