"""How far can entropy fall? A lower bound from spectral norms alone (Zhai et al. 2023, arXiv 2303.06296)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_bound(x: Tensor, w_q: Tensor, w_k: Tensor) -> float:
    """The worst row of scores that is no longer than σ, and its entropy, term by term."""
    n = len(x)
    longest = _spectral(w_q @ w_k.T) * _spectral(x) ** 2 / math.sqrt(w_q.shape[1])
    if n == 1:
        return 0.0
    row = [-1.0] * (n - 1) + [float(n - 1)]  # one key stands out, the others are alike, and the mean is 0
    length = math.sqrt(sum(s * s for s in row))
    row = [longest * s / length for s in row]
    shifted = [s - max(row) for s in row]
    log_total = math.log(sum(math.exp(s) for s in shifted))
    return sum(math.exp(s - log_total) * (log_total - s) for s in shifted)


def _spectral(w: Tensor) -> float:
    """The root of the largest eigenvalue of WᵀW."""
    return math.sqrt(torch.linalg.eigvalsh(w.T @ w)[-1].item())


def _sigma(x: Tensor, w_q: Tensor, w_k: Tensor) -> float:
    return _spectral(w_q @ w_k.T) * _spectral(x) ** 2 / math.sqrt(w_q.shape[1])


def _scores(x: Tensor, w_q: Tensor, w_k: Tensor) -> Tensor:
    return (x @ w_q) @ (x @ w_k).T / math.sqrt(w_q.shape[1])


def _entropy(sigma: float, n: int) -> float:
    beta = math.exp(-sigma * math.sqrt(n / (n - 1)))
    others = 1 + (n - 1) * beta
    return math.log(others) + sigma * math.sqrt(n * (n - 1)) * beta / others


def _with(sigma: Callable = _sigma, entropy: Callable = _entropy) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(x, w_q, w_k):
        return 0.0 if len(x) == 1 else entropy(sigma(x, w_q, w_k), len(x))

    return answer


def _first_term(sigma: float, n: int) -> float:
    return math.log(1 + (n - 1) * math.exp(-sigma * math.sqrt(n / (n - 1))))


def _plain_gap(sigma: float, n: int) -> float:
    beta = math.exp(-sigma)
    return math.log(1 + (n - 1) * beta) + sigma * (n - 1) * beta / (1 + (n - 1) * beta)


def _holds(out: float, x: Tensor, w_q: Tensor, w_k: Tensor) -> str | None:
    if not 0 <= out <= math.log(len(x)) + 1e-9:
        return f"A row over {len(x)} keys has an entropy from 0 to log {len(x)} nats. Your bound is {out:.3g}."
    weights = _scores(x, w_q, w_k).softmax(-1)
    least = -torch.special.xlogy(weights, weights).sum(-1).min().item()
    if out > least + 1e-9:
        return f"There is a row whose entropy is {least:.3g}, which is less than your bound, {out:.3g}: it is none."
    return None


def _case(name: str, n: int, d: int, d_k: int, by: float, **options) -> Case:
    """x of n tokens, and projections `by` times a standard size."""
    seed = 100 * n + d
    w_q, w_k = (by * random(d, d_k, seed=seed + each) / d for each in (1, 2))
    return Case(name, (random(n, d, seed=seed), w_q, w_k), **options)


TASK = Task(
    id="entropy-collapse.bound",
    reference=slow_bound,
    cases=(
        _case("2 tokens, 2 features", 2, 2, 2, 0.5),
        _case("3 tokens, 4 features, a head of 2", 3, 4, 2, 1.5),
        _case("1 token: its row has one key (expected: 0)", 1, 3, 2, 1.0),
        _case("5 tokens, small projections: nearly log 5", 5, 4, 3, 0.02),
        _case("6 tokens, 3 features, a head of 4", 6, 3, 4, 1.5),
        _case("4 tokens, projections so large that nothing is promised (expected: 0)", 4, 4, 4, 1000.0),
        _case("40 tokens, 8 features, a head of 4", 40, 8, 4, 1.0),
    ),
    gradients=False,
    properties=(_holds,),
    mistakes=(
        Mistake(
            "first_term_alone",
            "The second term is missing: σ√(n(n−1)) β / (1 + (n−1)β), what the keys that are not the favourite add.",
            _with(entropy=_first_term),
        ),
        Mistake(
            "gap_of_sigma",
            "You let the favourite lead by σ. The row as a whole has length σ and the mean takes no part, so it can "
            "lead by more: σ√(n/(n−1)).",
            _with(entropy=_plain_gap),
        ),
        Mistake(
            "no_scale",
            "σ bounds the scores, and they are divided by √d_k, d_k being the columns of w_q.",
            _with(lambda x, w_q, w_k: _spectral(w_q @ w_k.T) * _spectral(x) ** 2),
        ),
        Mistake(
            "scale_of_d_model",
            "You divide by the root of x's features. Scores are divided by √d_k, d_k being the columns of w_q.",
            _with(lambda x, w_q, w_k: _spectral(w_q @ w_k.T) * _spectral(x) ** 2 / math.sqrt(w_q.shape[0])),
        ),
        Mistake(
            "x_once",
            "x enters twice, as queries and as keys: ‖X Xᵀ‖ = ‖X‖².",
            _with(lambda x, w_q, w_k: _spectral(w_q @ w_k.T) * _spectral(x) / math.sqrt(w_q.shape[1])),
        ),
        Mistake(
            "norm_of_each",
            "‖W_Q‖·‖W_K‖ is larger than ‖W_Q W_Kᵀ‖ wherever the two do not stretch along the same direction. Such a "
            "bound holds, but promises less: multiply first, then take the norm.",
            _with(lambda x, w_q, w_k: _spectral(w_q) * _spectral(w_k) * _spectral(x) ** 2 / math.sqrt(w_q.shape[1])),
        ),
        Mistake(
            "rows_measured",
            "You measured how long the rows of these scores are. Such a bound holds for these rows; asked is one from "
            "norms alone, σ = ‖W_Q W_Kᵀ‖ ‖x‖² / √d_k, which no row of any order or mixture of these tokens can pass.",
            _with(lambda x, w_q, w_k: _scores(x, w_q, w_k).norm(dim=1).max().item()),
        ),
        Mistake(
            "norm_of_the_scores",
            "You took the norm of all scores together, ‖x W_Q W_Kᵀ xᵀ‖. That promises more, but only for these tokens "
            "with these weights: asked is the product of the norms, ‖W_Q W_Kᵀ‖ ‖x‖² / √d_k.",
            _with(lambda x, w_q, w_k: torch.linalg.matrix_norm(_scores(x, w_q, w_k), ord=2).item()),
        ),
        Mistake(
            "least_entropy_seen",
            "This is the least entropy among the rows that there are. Asked is the least that a row of length σ *can* "
            "have, which needs no row.",
            lambda x, w_q, w_k: torch.special.entr(_scores(x, w_q, w_k).softmax(-1)).sum(-1).min().item(),
        ),
        Mistake(
            "frobenius",
            "This is the Frobenius norm, the root of all squares together. How much a matrix can stretch a vector is "
            "its largest singular value: torch.linalg.matrix_norm(w, ord=2).",
            _with(lambda x, w_q, w_k: ((w_q @ w_k.T).norm() * (x @ x.T).norm()).item() / math.sqrt(w_q.shape[1])),
        ),
        Mistake(
            "inner_product",
            "W_Qᵀ W_K multiplies the wrong sides: scores are x W_Q W_Kᵀ xᵀ, so the matrix in the middle is W_Q W_Kᵀ.",
            _with(lambda x, w_q, w_k: _spectral(w_q.T @ w_k) * _spectral(x) ** 2 / math.sqrt(w_q.shape[1])),
        ),
        Mistake(
            "bits",
            "The logarithm is to base 2. The course counts in nats.",
            _with(entropy=lambda sigma, n: _entropy(sigma, n) / math.log(2)),
        ),
        Mistake(
            "normalised",
            "You divided by log n. What is asked is the entropy itself, in nats.",
            _with(entropy=lambda sigma, n: _entropy(sigma, n) / math.log(n)),
        ),
        Mistake(
            "divides_by_zero",
            "A text of one token has rows of one key, and √(n/(n−1)) divides by zero there. The entropy of such a row "
            "is 0.",
            lambda x, w_q, w_k: _entropy(_sigma(x, w_q, w_k), len(x)),
        ),
    ),
)
