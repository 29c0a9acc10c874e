"""Which layers' queries and keys get a gradient, and which starve beside their values."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def slow_starve(loss: Loss, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Tensor:
    """Noci et al. (2022, 2206.03126): ‖(∂L/∂W_Q, ∂L/∂W_K)‖ / ‖∂L/∂W_V‖, square by square."""
    of_q, of_k, of_v = _gradients(loss, w_q, w_k, w_v)
    found = []
    for layer in range(len(w_q)):
        above = sum(float(g) ** 2 for part in (of_q, of_k) for g in part[layer].flatten())
        below = sum(float(g) ** 2 for g in of_v[layer].flatten())
        found.append(math.sqrt(above / below) if below > 0 else 0.0)
    return torch.tensor(found, dtype=w_q.dtype)


class Stack:
    """A loss: attention layers with skips, and a readout with a parameter, as a model has."""

    def __init__(self, n: int, d: int, seed: int, common: float = 0.0, skip: float = 0.0, silent: int | None = None):
        self.x = random(n, d, seed=seed) + common * random(1, d, seed=seed + 1)
        self.readout = random(n, d, seed=seed + 2).requires_grad_()
        self.skip, self.silent = skip, silent

    def __call__(self, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Tensor:
        x = self.x
        for layer in range(len(w_q)):
            scores = (x @ w_q[layer]) @ (x @ w_k[layer]).T / math.sqrt(x.shape[1])
            new = scores.softmax(-1) @ (x @ w_v[layer])
            x = x if layer == self.silent else self.skip * x + new
        return (x * self.readout).sum()


def _gradients(loss: Loss, *weights: Tensor) -> tuple[Tensor, ...]:
    with torch.enable_grad():
        own = [w.detach().clone().requires_grad_() for w in weights]
        return torch.autograd.grad(loss(*own), own)


def _norm(x: Tensor) -> Tensor:
    return x.flatten(1).norm(dim=1)  # one a layer


def _with(join: Callable) -> Callable:
    """Another way to make a ratio of the three gradients, each (layer, d, d)."""
    return lambda loss, *weights: join(*_gradients(loss, *weights))


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    return torch.where(below > 0, above / below.where(below > 0, 1), 0)


def _joint(q: Tensor, k: Tensor) -> Tensor:
    return torch.cat([q.flatten(1), k.flatten(1)], dim=1).norm(dim=1)


def _stretch(x: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(x, ord=2)


def _left_behind(loss: Loss, *weights: Tensor) -> Tensor:
    own = [w.detach().clone().requires_grad_() for w in weights]
    loss(*own).backward()
    q, k, v = (each.grad for each in own)
    return _ratio(_joint(q, k), _norm(v))


def left_in_the_loss(answer: Callable) -> Callable:
    """What is left in the `.grad` of the loss's own parameter: zeros if nothing is."""

    def called(loss, *weights):
        fresh = Stack(3, 2, seed=5)
        answer(fresh, *weights)
        left = fresh.readout.grad
        return torch.zeros_like(fresh.readout).detach() if left is None else left

    return called


def _not_negative(out: Tensor, *_) -> str | None:
    return None if (out >= 0).all() else "A ratio of norms is never negative."


def _case(name: str, layers: int, d: int, loss: Stack, **more) -> Case:
    w_q, w_k, w_v = (random(layers, d, d, seed=10 * layers + i) / math.sqrt(d) for i in (1, 2, 3))
    return Case(name, (loss, w_q, w_k, w_v), **more)


TASK = Task(
    id="rank-collapse.starve",
    reference=slow_starve,
    cases=(
        _case("1 layer, 3 tokens, 2 features", 1, 2, Stack(3, 2, seed=1)),
        _case("2 layers, 3 tokens, 2 features", 2, 2, Stack(3, 2, seed=2)),
        _case("2 layers, 4 tokens that are nearly alike", 2, 3, Stack(4, 3, seed=3, common=20.0)),
        _case("2 layers, of which the second is silent: its values get nothing", 2, 2, Stack(3, 2, seed=4, silent=1)),
        _case(
            "1 layer, 3 tokens; what is left in the `.grad` of the loss's own parameter (expected: zeros)",
            *(1, 2, Stack(3, 2, seed=5)),
            within=left_in_the_loss,
            axes=("token", "feature"),
        ),
        _case("4 layers with skips, 5 tokens, 4 features", 4, 4, Stack(5, 4, seed=6, skip=1.0)),
    ),
    axes=("layer",),
    gradients=False,
    properties=(_not_negative,),
    mistakes=(
        Mistake(
            "left_in_the_loss",
            "`backward()` fills the `.grad` of everything on its way, the loss's own parameters included, and the next "
            "step of the training would take them for its own. `torch.autograd.grad(loss, weights)` returns the "
            "gradients and leaves nothing.",
            _left_behind,
        ),
        Mistake(
            "upside_down",
            "The ratio is upside down: queries and keys above, values below. A layer that starves has a small number.",
            _with(lambda q, k, v: _ratio(_norm(v), _joint(q, k))),
        ),
        Mistake(
            "queries_alone",
            "The keys' gradient is missing: the norm is that of both together.",
            _with(lambda q, k, v: _ratio(_norm(q), _norm(v))),
        ),
        Mistake(
            "keys_alone",
            "The queries' gradient is missing: the norm is that of both together.",
            _with(lambda q, k, v: _ratio(_norm(k), _norm(v))),
        ),
        Mistake(
            "norms_added",
            "You added the two norms. The norm of both together is √(‖∂W_Q‖² + ‖∂W_K‖²), as if they were one long "
            "vector.",
            _with(lambda q, k, v: _ratio(_norm(q) + _norm(k), _norm(v))),
        ),
        Mistake(
            "larger_of_the_two",
            "You took the larger of the two norms. The norm of both together is √(‖∂W_Q‖² + ‖∂W_K‖²), as if they were "
            "one long vector.",
            _with(lambda q, k, v: _ratio(torch.maximum(_norm(q), _norm(k)), _norm(v))),
        ),
        Mistake(
            "spectral",
            "These are largest singular values. The norm asked is that of one long vector of all entries: the root of "
            "the sum of all squares.",
            _with(lambda q, k, v: _ratio(_stretch(torch.cat([q, k], dim=-1)), _stretch(v))),
        ),
        Mistake(
            "gradients_added",
            "You added the gradients of W_Q and W_K, entry by entry, where they can cancel. Lay them side by side.",
            _with(lambda q, k, v: _ratio(_norm(q + k), _norm(v))),
        ),
        Mistake(
            "squared",
            "These are the squares. Take the root of both sums.",
            _with(lambda q, k, v: _ratio(_joint(q, k) ** 2, _norm(v) ** 2)),
        ),
        Mistake(
            "all_layers_at_once",
            "The norms were taken over all layers together, so every layer has the same number. A norm for each layer: "
            "that is where one sees which of them starve.",
            _with(lambda q, k, v: (torch.cat([q, k]).norm() / v.norm()).expand(len(q)).clone()),
        ),
        Mistake(
            "nothing_by_nothing",
            "A layer whose values get no gradient is 0 / 0 here. Give it the ratio 0.",
            _with(lambda q, k, v: _joint(q, k) / _norm(v)),
        ),
        Mistake(
            "of_the_weights",
            "These are the norms of the weights, not of their gradients.",
            lambda loss, q, k, v: _joint(q, k) / _norm(v),
        ),
        Mistake(
            "largest_entries",
            "You compared the largest entries. The norm is the root of the sum of all squares.",
            _with(
                lambda q, k, v: _ratio(torch.maximum(q.abs(), k.abs()).flatten(1).amax(1), v.abs().flatten(1).amax(1))
            ),
        ),
    ),
)
