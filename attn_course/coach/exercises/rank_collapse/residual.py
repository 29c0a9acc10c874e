"""What is left of the tokens when that which is common to all is taken away."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_residual(x: Tensor) -> Tensor:
    """Dong et al. (2021, 2103.03404), text by text, sum by sum."""
    found = []
    for text in x:
        n, d = text.shape
        mean = sum(text[i] for i in range(n)) / n
        left = torch.stack([text[i] - mean for i in range(n)])
        sizes = []
        for matrix in (left, text):
            columns = torch.stack([sum(matrix[i, c].abs() for i in range(n)) for c in range(d)])
            rows = torch.stack([sum(matrix[i, c].abs() for c in range(d)) for i in range(n)])
            sizes.append((columns.max() * rows.max()).sqrt())
        found.append(sizes[0] / sizes[1])
    return torch.stack(found)


def _norm(x: Tensor) -> Tensor:
    return (x.abs().sum(-2).amax(-1) * x.abs().sum(-1).amax(-1)).sqrt()


def _left(x: Tensor) -> Tensor:
    return x - x.mean(-2, keepdim=True)


def _with(norm: Callable = _norm, left: Callable = _left) -> Callable:
    """The solution with another norm, or another thing taken away."""
    return lambda x: norm(left(x)) / norm(x)


def _in_range(out: Tensor, x: Tensor) -> str | None:
    if (out >= 0).all() and (out <= 2 + 1e-9).all():
        return None
    return "What is left is never negative, and at most twice the whole: the mean is no longer than the longest token."


def _case(name: str, batch: int, n: int, d: int, common: float = 0.0) -> Case:
    seed = 100 * batch + 10 * n + d
    return Case(name, (random(batch, n, d, seed=seed) + common * random(1, 1, d, seed=seed + 1),))


TASK = Task(
    id="rank-collapse.residual",
    reference=slow_residual,
    cases=(
        Case("1 text, 2 tokens, 2 features", (torch.tensor([[[3.0, 1.0], [1.0, -2.0]]], dtype=torch.float64),)),
        _case("1 text, 3 tokens, 2 features", 1, 3, 2),
        _case("1 text, 4 tokens, 3 features, much in common", 1, 4, 3, common=5.0),
        _case("2 texts, 5 tokens, 4 features", 2, 5, 4, common=1.0),
        _case("3 texts, 3 tokens, 6 features", 3, 3, 6),
    ),
    axes=("text",),
    properties=(_in_range,),
    mistakes=(
        Mistake(
            "squared",
            "The root is missing: you have ‖·‖₁ · ‖·‖_∞, so a residual of 0.1 reads 0.01. (The published library "
            "leaves it out as well; the paper's figures do not.)",
            _with(lambda x: _norm(x).square()),
        ),
        Mistake(
            "mean_of_features",
            "You took away the mean over the *features* of each token (axis −1). What all tokens have in common is the "
            "mean over the tokens, axis −2.",
            _with(left=lambda x: x - x.mean(-1, keepdim=True)),
        ),
        Mistake(
            "mean_of_everything",
            "You took away one number, the mean of all features of all tokens. The mean *token* is a vector: average "
            "over axis −2 alone.",
            _with(left=lambda x: x - x.mean((-2, -1), keepdim=True)),
        ),
        Mistake(
            "mean_over_texts",
            "The mean was taken over the texts as well. Each text has a mean token of its own.",
            _with(left=lambda x: x - x.mean((0, 1), keepdim=True)),
        ),
        Mistake(
            "frobenius",
            "This is Frobenius' norm, the root of the sum of squares. It tells the same story; here the norm of the "
            "proof is asked, √(‖·‖₁ ‖·‖_∞).",
            _with(lambda x: x.square().sum((-2, -1)).sqrt()),
        ),
        Mistake(
            "spectral",
            "This is the largest singular value. It tells the same story; here the norm of the proof is asked, "
            "√(‖·‖₁ ‖·‖_∞).",
            _with(lambda x: torch.linalg.matrix_norm(x, ord=2)),
        ),
        Mistake(
            "first_token",
            "You took the first token away from all of them. What all have in common is their mean, over axis −2.",
            _with(left=lambda x: x - x[..., :1, :]),
        ),
        Mistake(
            "rows_alone",
            "This is ‖·‖_∞ alone, the largest sum of a row. Multiply it by the largest sum of a column, and take the "
            "root.",
            _with(lambda x: x.abs().sum(-1).amax(-1)),
        ),
        Mistake(
            "columns_alone",
            "This is ‖·‖₁ alone, the largest sum of a column. Multiply it by the largest sum of a row, and take the "
            "root.",
            _with(lambda x: x.abs().sum(-2).amax(-1)),
        ),
        Mistake(
            "of_entries",
            "You added up all entries, and took the largest one. The 1-norm of a matrix is the largest sum of absolute "
            "values down a column, the ∞-norm along a row.",
            _with(lambda x: (x.abs().sum((-2, -1)) * x.abs().amax((-2, -1))).sqrt()),
        ),
        Mistake(
            "without_absolute_values",
            "The sums are of the numbers as they are, so that +1 and −1 cancel. Absolute values first.",
            _with(lambda x: (x.sum(-2).amax(-1) * x.sum(-1).amax(-1)).sqrt()),
        ),
        Mistake(
            "not_divided",
            "This is the size of what is left, not its share: divide by the same norm of the tokens as they are.",
            lambda x: _norm(_left(x)),
        ),
        Mistake(
            "beside_the_mean",
            "You divided by the size of what is *common*. Divide by the whole, X itself: then a text with nothing in "
            "common has about 1, and not a number without bound.",
            lambda x: _norm(_left(x)) / _norm(x - _left(x)),
        ),
        Mistake(
            "the_common_part",
            "This is the share of what is common. What is left is X − 1x̄ᵀ.",
            lambda x: _norm(x - _left(x)) / _norm(x),
        ),
        Mistake(
            "one_minus",
            "You returned 1 − the residual: it is 0 for tokens that are all one, not 1.",
            lambda x: 1 - _norm(_left(x)) / _norm(x),
        ),
    ),
)
