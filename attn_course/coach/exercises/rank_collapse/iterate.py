"""Attention and nothing else, layer upon layer, and what it leaves."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_iterate(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Tensor:
    """Token by token: ask, weigh, average; then what is left, in Frobenius' norm."""
    n, d = x.shape
    found = [_share(x)]
    for layer in range(len(w_q)):
        q, k, v = x @ w_q[layer], x @ w_k[layer], x @ w_v[layer]
        new = []
        for i in range(n):
            s = torch.stack([(q[i] * k[j]).sum() / math.sqrt(d) for j in range(n)])
            p = (s - s.max()).exp()
            p = p / p.sum()
            new.append(sum(p[j] * v[j] for j in range(n)))
        x = torch.stack(new)
        found.append(_share(x))
    return torch.stack(found)


def _share(x: Tensor) -> Tensor:
    return (x - x.mean(0)).square().sum().sqrt() / x.square().sum().sqrt()


def _attend(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Tensor:
    return ((x @ w_q) @ (x @ w_k).T / math.sqrt(x.shape[1])).softmax(-1) @ (x @ w_v)


def _with(
    attend: Callable = _attend,
    share: Callable = _share,
    order: Callable = lambda layers: layers,
    after: Callable = lambda x, new, start: new,
) -> Callable:
    """The solution with another layer, another share, another order, or another way to go on."""

    def answer(x, w_q, w_k, w_v):
        start, found = x, [share(x)]
        for layer in order(range(len(w_q))):
            new = attend(x, w_q[layer], w_k[layer], w_v[layer])
            found.append(share(new))
            x = after(x, new, start)
        return torch.stack(found)

    return answer


def _of_the_first(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Tensor:
    """The maps of the first tokens, in every layer."""
    start, found = x, [_share(x)]
    for a, b, c in zip(w_q, w_k, w_v, strict=True):
        x = ((start @ a) @ (start @ b).T / math.sqrt(x.shape[1])).softmax(-1) @ (x @ c)
        found.append(_share(x))
    return torch.stack(found)


def _beside_the_first(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Tensor:
    start, found = x.square().sum().sqrt(), [_share(x)]
    for weights in zip(w_q, w_k, w_v, strict=True):
        x = _attend(x, *weights)
        found.append((x - x.mean(0)).square().sum().sqrt() / start)
    return torch.stack(found)


def _layer(scores: Callable = lambda q, k: (q @ k.T / math.sqrt(q.shape[1])).softmax(-1)) -> Callable:
    return lambda x, w_q, w_k, w_v: scores(x @ w_q, x @ w_k) @ (x @ w_v)


def _in_range(out: Tensor, *_) -> str | None:
    if (out >= 0).all() and (out <= 1 + 1e-9).all():
        return None
    return "In Frobenius' norm what is left is a share of the whole: every number lies between 0 and 1."


def _case(name: str, layers: int, n: int, d: int, sharp: float = 1.0, seed: int | None = None) -> Case:
    seed = 100 * layers + 10 * n + d if seed is None else seed
    w_q, w_k, w_v = (random(layers, d, d, seed=seed + i) / math.sqrt(d) for i in (1, 2, 3))
    return Case(name, (random(n, d, seed=seed), sharp * w_q, sharp * w_k, w_v))


TASK = Task(
    id="rank-collapse.iterate",
    reference=slow_iterate,
    cases=(
        _case("1 layer, 2 tokens, 2 features", 1, 2, 2, sharp=2.0, seed=6),  # 0.79, then 0.63
        _case("2 layers, 3 tokens, 3 features", 2, 3, 3),
        _case("3 layers, 4 tokens, 5 features; sharp", 3, 4, 5, sharp=2.5),
        _case("4 layers, 6 tokens, 4 features", 4, 6, 4, sharp=1.5),
        _case("3 layers, 5 tokens, 8 features", 3, 5, 8),
    ),
    axes=("layer",),
    gradients=False,
    refused=FUSED,
    properties=(_in_range,),
    mistakes=(
        Mistake(
            "always_the_first",
            "Every layer was given the first tokens. A layer reads what the layer before it wrote.",
            _with(after=lambda x, new, start: start),
        ),
        Mistake(
            "maps_of_the_first",
            "All layers use the maps of the tokens as they came in. Queries and keys are made of what stands there "
            "*now*: that is why the collapse feeds on itself.",
            _of_the_first,
        ),
        Mistake(
            "with_a_skip",
            "You added the input to what attention gives. That is a skip, and it is what this exercise leaves out.",
            _with(lambda x, *weights: x + _attend(x, *weights)),
        ),
        Mistake(
            "normalised",
            "You normalised every token after the layer. That is a part of a whole block, and so is left out here.",
            _with(lambda x, *weights: torch.nn.functional.layer_norm(_attend(x, *weights), x.shape[-1:])),
        ),
        Mistake(
            "order_reversed",
            "The layers were run from the last to the first.",
            _with(order=reversed),
        ),
        Mistake(
            "unscaled",
            "The scores are not divided by √d.",
            _with(_layer(lambda q, k: (q @ k.T).softmax(-1))),
        ),
        Mistake(
            "softmax_over_queries",
            "The softmax ran over the queries (axis 0). Each query decides how to spend its attention: normalise over "
            "the keys, the last axis.",
            _with(_layer(lambda q, k: (q @ k.T / math.sqrt(q.shape[1])).softmax(0))),
        ),
        Mistake(
            "values_not_projected",
            "The tokens themselves were averaged, not their values: multiply by W_V.",
            _with(lambda x, w_q, w_k, w_v: _attend(x, w_q, w_k, torch.eye(len(w_v), dtype=x.dtype))),
        ),
        Mistake(
            "keys_ask",
            "Queries and keys are exchanged: rows ask with W_Q, columns answer with W_K.",
            _with(lambda x, w_q, w_k, w_v: _attend(x, w_k, w_q, w_v)),
        ),
        Mistake(
            "squared",
            "This is the square of what is left. Take the root, or use a norm.",
            _with(share=lambda x: _share(x).square()),
        ),
        Mistake(
            "mean_of_features",
            "You took away each token's own mean over its features. What all tokens have in common is the mean over "
            "the *tokens*, axis 0.",
            _with(share=lambda x: (x - x.mean(1, keepdim=True)).norm() / x.norm()),
        ),
        Mistake(
            "beside_the_first",
            "What is left after each layer was compared with the tokens as they came in. Compare with what stands "
            "there after the same layer, or a layer that makes everything smaller looks like a collapse.",
            _beside_the_first,
        ),
        Mistake(
            "not_divided",
            "This is the size of what is left, not its share: divide by the norm of X after the same layer.",
            _with(share=lambda x: (x - x.mean(0)).norm()),
        ),
    ),
)
