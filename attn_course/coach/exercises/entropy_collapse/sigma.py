"""σReparam: the largest singular value by power iteration, and a weight that is given another."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random

# Whatever would give the largest singular value without an iteration.
_NAMES = ("svd", "svdvals", "matrix_norm", "eigh", "eigvalsh", "cond")
DECOMPOSED = (*_NAMES, *(f"linalg_{name}" for name in _NAMES), "svd_lowrank", "spectral_norm")


def slow_sigma(w: Tensor, gamma: Tensor, u: Tensor, steps: int) -> Tensor:
    """Number by number, and the two vectors are constants for the gradient."""
    rows, columns = w.shape
    fixed = w.detach()
    u = u.detach()
    v = torch.zeros(columns, dtype=w.dtype)
    for _ in range(steps):
        v = torch.stack([sum(fixed[i, j] * u[i] for i in range(rows)) for j in range(columns)])
        v = v / v.square().sum().sqrt()
        u = torch.stack([sum(fixed[i, j] * v[j] for j in range(columns)) for i in range(rows)])
        u = u / u.square().sum().sqrt()
    sigma = sum(u[i] * w[i, j] * v[j] for i in range(rows) for j in range(columns))
    return gamma / sigma * w


def _unit(x: Tensor) -> Tensor:
    return x / x.norm()


def _iterated(w: Tensor, u: Tensor, steps: int, unit: Callable = _unit) -> tuple[Tensor, Tensor]:
    v = u
    for _ in range(steps):
        v = unit(w.T @ u)
        u = unit(w @ v)
    return u, v


def _with(
    iterate: Callable = _iterated,
    sigma: Callable = lambda w, u, v: u @ w @ v,
    steps: Callable = lambda steps: steps,
    made: Callable = lambda w, gamma, sigma: gamma / sigma * w,
    fixed: Callable = lambda w: w.detach(),
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(w, gamma, u, steps_asked):
        found = iterate(fixed(w), fixed(u), steps(steps_asked))
        return made(w, gamma, sigma(w, *found))

    def named(w, gamma, u, steps):
        return answer(w, gamma, u, steps)

    return named


def _largest_alone(w: Tensor, gamma: Tensor, u: Tensor, v: Tensor) -> Tensor:
    return w - (u @ w @ v - gamma) * torch.outer(u, v)


def _half_a_step_more(w: Tensor, u: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    u, _ = _iterated(w, u, steps)
    return u, _unit(w.T @ u)


def _from_the_other_side(w: Tensor, u: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    v = u
    for _ in range(steps):
        v = _unit(w @ u)
        u = _unit(w.T @ v)
    return v, u


def _normed_at_the_end(w: Tensor, u: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    u, v = _iterated(w, u, steps, unit=lambda x: x)
    return _unit(u), _unit(v)


def _case(name: str, rows: int, columns: int, steps: int, by: float = 1.0, gamma: float = 1.0) -> Case:
    seed = 10 * rows + columns
    args = (
        by * random(rows, columns, seed=seed),
        torch.tensor(gamma, dtype=torch.float64),
        random(rows, seed=seed + 1),
    )
    return Case(name, (*args, steps))


def _diagonal(name: str, numbers: tuple[float, ...], u: tuple[float, ...], steps: int) -> Case:
    w, u = torch.tensor(numbers, dtype=torch.float64).diag(), torch.tensor(u, dtype=torch.float64)
    return Case(name, (w, torch.tensor(1.0, dtype=torch.float64), u, steps))


TASK = Task(
    id="entropy-collapse.sigma",
    reference=slow_sigma,
    cases=(
        _diagonal("singular values 2 and 1, u (1, 1), 1 step", (2.0, 1.0), (1.0, 1.0), 1),
        _case("2 × 2, 1 step, gamma 3", 2, 2, 1, gamma=3.0),
        _case("3 × 2, 2 steps", 3, 2, 2),
        _case("2 × 4, 3 steps, gamma 0.5", 2, 4, 3, gamma=0.5),
        _case("3 × 3, 200 steps, gamma 2", 3, 3, 200, gamma=2.0),
        _case("3 × 2 of numbers near 1e150, 4 steps", 3, 2, 4, by=1e150),
        _case("3 × 2 of numbers near 1e-6, 4 steps", 3, 2, 4, by=1e-6),
        _case("4 × 5, 2 steps, gamma −1.5", 4, 5, 2, gamma=-1.5),
    ),
    axes=("row", "column"),
    refused=DECOMPOSED,
    mistakes=(
        Mistake(
            "gradient_through_iteration",
            "The numbers are right, but the gradient runs back through the iteration. u and v are constants for it: "
            "iterate with w.detach() (or under torch.no_grad()), and only then take u·W v.",
            _with(fixed=lambda w: w),
        ),
        Mistake(
            "sigma_is_a_constant",
            "The numbers are right, but σ itself is a constant for your gradient. It grows with W: take u·W v with W "
            "as it came, and only u and v as constants.",
            _with(sigma=lambda w, u, v: u @ w.detach() @ v),
        ),
        Mistake(
            "no_gamma",
            "W/σ has a spectral norm of 1. It is to have that of gamma.",
            _with(made=lambda w, gamma, sigma: w / sigma),
        ),
        Mistake(
            "gamma_below",
            "gamma went below the line: γ/σ(W) · W.",
            _with(made=lambda w, gamma, sigma: w / (gamma * sigma)),
        ),
        Mistake(
            "not_divided",
            "γ·W keeps the old spectral norm as a factor. Divide by σ(W).",
            _with(made=lambda w, gamma, sigma: gamma * w),
        ),
        Mistake(
            "largest_alone",
            "You changed the largest singular value alone, and the others kept their size. σReparam multiplies the "
            "whole matrix by one number, γ/σ.",
            lambda w, gamma, u, steps: _largest_alone(w, gamma, *_iterated(w.detach(), u.detach(), steps)),
        ),
        Mistake(
            "only_downwards",
            "You left matrices alone whose σ is below gamma. Theirs is raised to gamma too: γ/σ · W, whichever is the "
            "larger.",
            _with(made=lambda w, gamma, sigma: torch.where(sigma > gamma, gamma / sigma, 1.0) * w),
        ),
        Mistake(
            "sigma_squared",
            "You divided by σ²: |WᵀW v| is the square of what W does to v.",
            _with(sigma=lambda w, u, v: (u @ w @ v) ** 2),
        ),
        Mistake(
            "root_of_sigma",
            "You divided by √σ. u·W v is σ itself already.",
            _with(sigma=lambda w, u, v: (u @ w @ v).abs().sqrt()),
        ),
        Mistake(
            "one_step_less",
            "There is one step of iteration less than asked. A step makes a new v from u and a new u from that v.",
            _with(steps=lambda steps: max(steps - 1, 1) if steps > 1 else steps),
        ),
        Mistake(
            "one_step_more",
            "There is one step of iteration more than asked: for _ in range(steps).",
            _with(steps=lambda steps: steps + 1),
        ),
        Mistake(
            "one_step_always",
            "You make one step whatever `steps` says.",
            _with(steps=lambda steps: 1),
        ),
        Mistake(
            "half_a_step_more",
            "After the last step v was made anew once more. σ is u·W v with the u and the v of the last step.",
            _with(iterate=_half_a_step_more),
        ),
        Mistake(
            "normed_at_the_end",
            "You give the vectors length 1 only at the end. Until then they grow with σ at every turn, and overflow. "
            "Divide after every product.",
            _with(iterate=_normed_at_the_end),
        ),
        Mistake(
            "not_normed",
            "u and v have to have length 1, or u·W v is no singular value.",
            _with(iterate=lambda w, u, steps: _iterated(w, u, steps, unit=lambda x: x)),
        ),
        Mistake(
            "frobenius",
            "This is the Frobenius norm: the root of the sum of all σ². The spectral norm is the largest σ alone.",
            _with(sigma=lambda w, u, v: w.norm()),
        ),
        Mistake(
            "other_side",
            "u has as many entries as W has rows, so it is multiplied from the left: v = Wᵀu, then u = W v. Yours the "
            "other way round fits square matrices only.",
            _with(iterate=_from_the_other_side),
        ),
    ),
)
