"""A frozen matrix, and a thin change beside it."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_lora(x: Tensor, w: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """Token by token: (W + α/r · BA) x, with the changed matrix written out."""
    changed = w + (alpha / a.shape[0]) * torch.einsum("or,ri->oi", b, a)  # (d_out, d_in)
    return torch.stack([torch.stack([changed @ token for token in sentence]) for sentence in x])


def _with(scale=lambda a, alpha: alpha / a.shape[0], between=lambda h: h):
    """The solution with another scale, or with something between the two thin matrices."""
    return lambda x, w, a, b, alpha: x @ w.T + scale(a, alpha) * (between(x @ a.T) @ b.T)


def _after(x: Tensor, w: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    y = x @ w.T
    return y + alpha / len(a) * (y @ a.T @ b.T)


def _before(x: Tensor, w: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return (x + alpha / len(a) * (x @ a.T @ b.T)) @ w.T


def _case(name: str, x: Tensor, d_out: int, r: int, alpha: float, seed: int) -> Case:
    d_in = x.shape[-1]
    return Case(
        name,
        (
            x.double(),
            random(d_out, d_in, seed=seed),
            random(r, d_in, seed=seed + 1),
            random(d_out, r, seed=seed + 2),
            alpha,
        ),
    )


TASK = Task(
    id="reach.lora",
    reference=slow_lora,
    cases=(
        _case("x is the identity, 2 features in, 2 out, rank 1, α = 2", torch.eye(2)[None], 2, 1, 2.0, seed=10),
        _case("1 token, 3 features in, 3 out, rank 2, α = 1", random(1, 1, 3, seed=1), 3, 2, 1.0, seed=20),
        _case("3 tokens, 4 features in, 2 out, rank 1, α = 4", random(1, 3, 4, seed=2), 2, 1, 4.0, seed=30),
        _case("2 sentences of 5 tokens, 6 features in, 8 out, rank 3, α = 12", random(2, 5, 6, seed=3), 8, 3, 12.0, 40),
    ),
    axes=("token", "feature"),
    mistakes=(
        Mistake(
            "unscaled",
            "The scale α/r is missing. It is there so that you can change the rank without looking for a new learning "
            "rate.",
            _with(scale=lambda a, alpha: 1.0),
        ),
        Mistake(
            "scale_upside_down",
            "The scale is r/α. It should be α/r: the higher the rank, the less each of its directions weighs.",
            _with(scale=lambda a, alpha: a.shape[0] / alpha),
        ),
        Mistake(
            "alpha_alone",
            "The change is multiplied by α, and not divided by r.",
            _with(scale=lambda a, alpha: alpha),
        ),
        Mistake(
            "root_of_the_rank",
            "The scale is α/√r. That exists (rank-stabilised LoRA), but asked was the first paper's α/r.",
            _with(scale=lambda a, alpha: alpha / math.sqrt(a.shape[0])),
        ),
        Mistake(
            "rank_from_the_wrong_axis",
            "You divide α by the number of input features: that is a's *second* axis. The rank is its first: a is "
            "(r, d_in).",
            _with(scale=lambda a, alpha: alpha / a.shape[1]),
        ),
        Mistake(
            "all_scaled",
            "The frozen part was multiplied by α/r as well. Only the change is scaled: with b = 0 the layer must be "
            "what it was.",
            lambda x, w, a, b, alpha: alpha / a.shape[0] * (x @ w.T + x @ a.T @ b.T),
        ),
        Mistake(
            "exchanged",
            "x meets b before a, as in `x @ b @ a`. In W + BA, x is to the right: it meets a first, which brings it "
            "down to r numbers, and b brings these up again. On rows that is x aᵀ bᵀ.",
            lambda x, w, a, b, alpha: x @ w.T + alpha / a.shape[0] * (x @ b @ a),
        ),
        Mistake(
            "untransposed",
            "The matrices are applied as `x @ w`. They are stored as nn.Linear stores them, (out, in): a token is a "
            "row, so it needs the transpose.",
            lambda x, w, a, b, alpha: x @ w + alpha / a.shape[0] * (x @ b @ a),
        ),
        Mistake(
            "w_untransposed",
            "The change is right, but the frozen matrix is applied as `x @ w`. It is stored as (out, in): `x @ w.T`.",
            lambda x, w, a, b, alpha: x @ w + alpha / a.shape[0] * (x @ a.T @ b.T),
        ),
        Mistake(
            "change_alone",
            "This is the change alone: x Wᵀ is missing. The thin matrices stand *beside* the old one, not in its "
            "place.",
            lambda x, w, a, b, alpha: alpha / a.shape[0] * (x @ a.T @ b.T),
        ),
        Mistake(
            "on_the_output",
            "The thin matrices work on the layer's *output*, after w. They stand beside w and read the same x.",
            _after,
        ),
        Mistake(
            "on_the_input",
            "The thin matrices change the *input*, and w works on that. They stand beside w: their result is added to "
            "w's.",
            _before,
        ),
        Mistake(
            "bent",
            "Something bends the numbers between the two thin matrices (a ReLU?). That is an adapter, and it can never "
            "be merged into w. LoRA is linear from end to end.",
            _with(between=torch.relu),
        ),
    ),
)
