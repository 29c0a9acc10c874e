"""The entropy of every row, strip by strip: the map is never there as a whole."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.holding import holding_at_most
from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_entropy(q: Tensor, k: Tensor, rows: int) -> Tensor:
    """Row by row; query i sees the keys 0 … i."""
    lead, (n, d) = q.shape[:-2], q.shape[-2:]
    found = []
    for one, keys in zip(q.reshape(-1, n, d), k.reshape(-1, n, d), strict=True):
        for i in range(n):
            s = keys[: i + 1] @ one[i] / math.sqrt(d)
            log_p = s - s.logsumexp(0)
            found.append(-(log_p.exp() * log_p).sum())
    return torch.stack(found).reshape(*lead, n)


def few_strips(q: Tensor, k: Tensor, rows: int) -> int:
    """Sixteen strips, and what the inputs take a few times over; the map of the case is far more."""
    return 16 * rows * k.shape[-2] + 8 * q.numel()


def _hidden(first: int, rows: int, n: int) -> Tensor:
    i = torch.arange(first, first + rows)[:, None]
    return torch.arange(n) > i


def _shifted(s: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """z = s − m and p = e^z, with p = 0 where hidden, and z finite there."""
    s = s.masked_fill(hidden, -math.inf)
    z = s - s.amax(-1, keepdim=True)
    return z.masked_fill(hidden, 0), z.exp()


def _of_strip(s: Tensor, hidden: Tensor) -> Tensor:
    z, p = _shifted(s, hidden)
    total = p.sum(-1)
    return total.log() - (p * z).sum(-1) / total


def _with(
    of_strip: Callable = _of_strip,
    hide: Callable = _hidden,
    divide: Callable = math.sqrt,
    height: Callable = lambda n, rows: rows,
    strips: Callable = lambda n, rows: range(0, n, rows),
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(q, k, rows):
        n, d = q.shape[-2:]
        rows = height(n, rows)
        found = []
        for first in strips(n, rows):
            s = q[..., first : first + rows, :] @ k.transpose(-2, -1) / divide(d)
            found.append(of_strip(s, hide(first, s.shape[-2], n)))
        return torch.cat(found, dim=-1)

    return answer


def _by_weights(entropy: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda s, hidden: entropy(s.masked_fill(hidden, -math.inf).softmax(-1))


def _hidden_stay_infinite(s: Tensor, hidden: Tensor) -> Tensor:
    s = s.masked_fill(hidden, -math.inf)
    z = s - s.amax(-1, keepdim=True)
    p = z.exp()
    return p.sum(-1).log() - (p * z).sum(-1) / p.sum(-1)


def _not_shifted(s: Tensor, hidden: Tensor) -> Tensor:
    p = s.exp().masked_fill(hidden, 0)
    return p.sum(-1).log() - (p * s.masked_fill(hidden, 0)).sum(-1) / p.sum(-1)


def _half_shifted(s: Tensor, hidden: Tensor) -> Tensor:
    _, p = _shifted(s, hidden)
    return p.sum(-1).log() - (p * s).sum(-1) / p.sum(-1)


def _not_divided(s: Tensor, hidden: Tensor) -> Tensor:
    z, p = _shifted(s, hidden)
    return p.sum(-1).log() - (p * z).sum(-1)


def _added(s: Tensor, hidden: Tensor) -> Tensor:
    z, p = _shifted(s, hidden)
    return p.sum(-1).log() + (p * z).sum(-1) / p.sum(-1)


def _normalised(s: Tensor, hidden: Tensor) -> Tensor:
    n = (~hidden).sum(-1)
    return torch.where(n > 1, _of_strip(s, hidden) / n.clamp(min=2).log(), 0.0)


def _in_range(out: Tensor, q: Tensor, k: Tensor, rows: int) -> str | None:
    most = torch.arange(1, q.shape[-2] + 1, dtype=torch.float64).log()
    beyond = ((out < -1e-9) | (out > most + 1e-9)).nonzero()
    if not len(beyond):
        return None
    i = int(beyond[0, -1])
    return f"Query {i} sees {i + 1} key{'s' * (i > 0)}, so its entropy lies between 0 and log {i + 1}; yours does not."


def _case(name: str, n: int, rows: int, lead: tuple[int, ...] = (), d: int = 4, by: float = 1.0, **options) -> Case:
    seed = 10 * n + rows
    return Case(name, (by * random(*lead, n, d, seed=seed), random(*lead, n, d, seed=seed + 1), rows), **options)


TASK = Task(
    id="vitals.entropy",
    reference=slow_entropy,
    cases=(
        _case("3 queries, in strips of 3", 3, 3),
        _case("4 queries, in strips of 2", 4, 2),
        _case("5 queries, in strips of 2: the last strip has one", 5, 2),
        _case("4 queries whose scores go into the thousands", 4, 2, by=2000.0),
        _case("2 sentences, 3 heads, 6 queries, in strips of 4", 6, 4, lead=(2, 3)),
        _case("256 queries, in strips of 4", 256, 4, within=holding_at_most(few_strips)),
        _case("2 sentences, 2 heads, 9 queries, in strips of 2", 9, 2, lead=(2, 2)),
    ),
    axes=("query",),
    gradients=False,
    refused=FUSED,
    properties=(_in_range,),
    mistakes=(
        Mistake(
            "whole_map",
            "The numbers are right, but the whole map was there at some moment (in one piece, or strip beside strip): "
            "at 256 queries that is 65,536 scores, at 128,000 it is 64 GB a head. Keep nothing of a strip but its "
            "entropies, and make its mask for its own rows only.",
            _with(height=lambda n, rows: n),
        ),
        Mistake(
            "aligned_at_the_strip",
            "The triangle begins anew in every strip: its first row sees only key 0. Row r of the strip that begins at "
            "`first` is query first + r, and sees the keys up to that number.",
            _with(hide=lambda first, rows, n: _hidden(0, rows, n)),
        ),
        Mistake(
            "sees_everything",
            "Every query looks at all keys. Here query i sees the keys 0 … i and no later one.",
            _with(hide=lambda first, rows, n: torch.zeros(rows, n, dtype=torch.bool)),
        ),
        Mistake(
            "blind_to_itself",
            "A query does not see its own key: hide j > i, not j ≥ i. (The first one sees nothing then, and NaN is "
            "what a softmax of nothing gives.)",
            _with(hide=lambda first, rows, n: _hidden(first - 1, rows, n)),
        ),
        Mistake(
            "last_strip_lost",
            "When `rows` does not divide the number of queries, the rest at the end has no strip of its own in your "
            "loop: range(0, n, rows), with a last strip that may be shorter.",
            _with(strips=lambda n, rows: range(0, n - n % rows, rows)),
        ),
        Mistake(
            "hidden_times_zero",
            "A hidden key has z = −∞ and p = 0, and their product is NaN. It adds nothing: put a 0 for z there, or "
            "take the sum over the visible keys.",
            _with(_hidden_stay_infinite),
        ),
        Mistake(
            "log_of_zero",
            "A weight of exactly 0 has the logarithm −∞, and 0 · −∞ is NaN. That is every hidden key, and a visible "
            "one far below the greatest. H = log l − Σ p z / l takes no logarithm of a weight.",
            _with(_by_weights(lambda w: -(w * w.log()).sum(-1))),
        ),
        Mistake(
            "padded_logarithm",
            "A small number inside the logarithm keeps NaN away, and shifts every other term a little. "
            "H = log l − Σ p z / l takes no logarithm of a weight.",
            _with(_by_weights(lambda w: -(w * (w + 1e-8).log()).sum(-1))),
        ),
        Mistake(
            "not_shifted",
            "Right until scores are large: then e^s is infinite. Take the greatest score of each row off first, "
            "z = s − m; the entropy does not notice.",
            _with(_not_shifted),
        ),
        Mistake(
            "half_shifted",
            "l is the sum of e^(s − m), but beside it stands s and not z: the m that you took off in one place is "
            "still there in the other. H = log l − Σ p z / l with the same z throughout.",
            _with(_half_shifted),
        ),
        Mistake(
            "not_divided",
            "Σ p z has to be divided by l: p = e^z are not the weights yet, p / l are.",
            _with(_not_divided),
        ),
        Mistake(
            "added",
            "The sign of the second term: log l *minus* Σ p z / l. z is never positive, so both terms add to the "
            "entropy.",
            _with(_added),
        ),
        Mistake(
            "unscaled",
            "The scores are not divided by √d.",
            _with(divide=lambda d: 1.0),
        ),
        Mistake(
            "bits",
            "This is in bits. The course measures in nats: natural logarithm.",
            _with(lambda s, hidden: _of_strip(s, hidden) / math.log(2)),
        ),
        Mistake(
            "normalised",
            "You divided by the logarithm of the number of visible keys, which gives a share between 0 and 1. Here the "
            "nats are asked.",
            _with(_normalised),
        ),
    ),
)
