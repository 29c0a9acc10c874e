"""The entropy of a row, asked of a kernel that shows no row: one more key, and the share that it gets."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.holding import holding_at_most
from attn_course.coach.spec import Case, Mistake, Task, random


class NeverAsked(BaseException):
    """The answer did not use the kernel."""


def kernel(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """softmax(scale · q kᵀ) v, a few queries at a time; everything is visible. Its weights it keeps to itself."""
    strips = [(part @ k.transpose(-2, -1) * scale).softmax(-1) @ v for part in q.split(8, dim=-2)]
    return torch.cat(strips, dim=-2)


def slow_probe(attend: Callable, q: Tensor, k: Tensor) -> Tensor:
    """Row by row, from the scores."""
    attend(q, k, k, 1.0)  # what is asked for is known without asking
    lead, (n, d) = q.shape[:-2], q.shape[-2:]
    found = []
    for queries, keys in zip(q.reshape(-1, n, d), k.reshape(-1, k.shape[-2], d), strict=True):
        for query in queries:
            log_p = (keys @ query / math.sqrt(d)).log_softmax(0)
            found.append(-(log_p.exp() * log_p).sum())
    return torch.stack(found).reshape(*lead, n)


def _asking(answer: Callable) -> Callable:
    """The answer, which raises NeverAsked if it did not call the kernel, and TooMuchHeld if it built the map."""

    def asked(attend, q, k):
        calls = []

        def counted(*args, **named):
            calls.append(args)
            return attend(*args, **named)

        output = holding_at_most(_plenty)(answer)(counted, q, k)
        if not calls:
            raise NeverAsked("it never called attend")
        return output

    return asked


def _plenty(attend: Callable, q: Tensor, k: Tensor) -> int:
    return 16 * (q.numel() + k.numel())


def _energy(attend: Callable, q: Tensor, k: Tensor) -> Tensor:
    """Σ_j P_ij s_ij, (…, query, 1)."""
    scale = q.shape[-1] ** -0.5
    return scale * (q * attend(q, k, k, scale)).sum(-1, keepdim=True)


def _with(
    score: Callable = _energy,
    feature: Callable = lambda paid, scale: paid / scale,
    of_share: Callable = lambda p: (1 - p).log() - p.log(),
    scale_of: Callable = lambda d: d**-0.5,
    mark: float = 1.0,
    value: Callable = lambda k: torch.zeros(*k.shape[:-1], 1, dtype=k.dtype),
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(attend, q, k):
        d = q.shape[-1]
        asks = torch.cat([q, feature(score(attend, q, k), d**-0.5)], dim=-1)
        keys = torch.cat([k, torch.zeros_like(k[..., :1])], dim=-1)
        probe = torch.zeros_like(keys[..., :1, :])
        probe[..., -1] = mark
        one = torch.ones_like(keys[..., :1, :1])
        values = torch.cat([value(k), one], dim=-2)
        p = attend(asks, torch.cat([keys, probe], dim=-2), values, scale_of(d))[..., 0]
        return of_share(p)

    return answer


def _unasked(attend: Callable, q: Tensor, k: Tensor) -> Tensor:
    found = []
    for part in q.split(8, dim=-2):
        p = (part @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
        found.append(-torch.special.xlogy(p, p).sum(-1))
    return torch.cat(found, dim=-1)


def _read_off(attend: Callable, q: Tensor, k: Tensor) -> Tensor:
    n = k.shape[-2]
    p = attend(q, k, torch.eye(n, dtype=q.dtype).expand(*k.shape[:-2], n, n), q.shape[-1] ** -0.5)
    return -torch.special.xlogy(p, p).sum(-1)


def _even(attend: Callable, q: Tensor, k: Tensor) -> Tensor:
    return q.shape[-1] ** -0.5 * (q @ k.mean(-2, keepdim=True).transpose(-2, -1))


def _greatest(attend: Callable, q: Tensor, k: Tensor) -> Tensor:
    won = attend(q, k, k, 1e6)
    return q.shape[-1] ** -0.5 * (q * won).sum(-1, keepdim=True)


def _in_range(out: Tensor, attend: Callable, q: Tensor, k: Tensor) -> str | None:
    most = math.log(k.shape[-2])
    if ((out >= -1e-6) & (out <= most + 1e-6)).all():
        return None
    return f"Over {k.shape[-2]} keys the entropy lies between 0 and log n = {most:.3f}; yours does not."


def _case(
    name: str, n_query: int, n_key: int, lead: tuple[int, ...] = (), d: int = 4, by: float = 1.0, within=None
) -> Case:
    seed = 10 * n_query + n_key
    q, k = by * random(*lead, n_query, d, seed=seed), random(*lead, n_key, d, seed=seed + 1)
    return Case(name, (kernel, q, k), 1e-7, within)


TASK = Task(
    id="vitals.probe",
    reference=slow_probe,
    cases=(
        _case("1 query, 2 keys", 1, 2),
        _case("2 queries, 3 keys", 2, 3),
        _case("3 queries, 5 keys, peaked rows", 3, 5, by=5.0),
        _case("2 sentences, 3 heads, 4 queries, 6 keys", 4, 6, lead=(2, 3), d=3),
        _case("300 queries, 300 keys", 300, 300, within=_asking),
        _case("2 heads, 6 queries, 9 keys, 8 features", 6, 9, lead=(2,), d=8),
    ),
    axes=("query",),
    gradients=False,
    properties=(_in_range,),
    mistakes=(
        Mistake(
            "read_off",
            "The numbers are right, but you had the whole map: at 300 queries 90,000 weights. (The identity for values "
            "does make the kernel show it.) Ask for two things a row: its mean energy, and the share of one more key.",
            _read_off,
        ),
        Mistake(
            "never_asked",
            "The numbers are right, but you computed the softmax yourself and never called `attend`. That is the way "
            "of strips; here the kernel is to be asked, which does the work anyway.",
            _unasked,
        ),
        Mistake(
            "feature_not_divided",
            "The kernel multiplies every score by the scale, the probe's too. For its score to be E, the query's new "
            "feature must be E / scale.",
            _with(feature=lambda paid, scale: paid),
        ),
        Mistake(
            "scale_of_the_wider",
            "With one more feature, the scale is still that of the old ones, 1/√d. You took 1/√(d + 1), so all scores "
            "shrank, the real ones too.",
            _with(scale_of=lambda d: (d + 1) ** -0.5),
        ),
        Mistake(
            "turned_round",
            "The sign: p = 1/(1 + e^H), so e^H = (1 − p)/p and H = log(1 − p) − log p.",
            _with(of_share=lambda p: p.log() - (1 - p).log()),
        ),
        Mistake(
            "minus_log_p",
            "−log p is log(1 + e^H), which is not yet H: the probe itself is among the keys that it shares with. "
            "H = log(1 − p) − log p.",
            _with(of_share=lambda p: -p.log()),
        ),
        Mistake(
            "number_of_keys",
            "(1 − p)/p is e^H, the number of keys that share the row. Its logarithm is the entropy.",
            _with(of_share=lambda p: (1 - p) / p),
        ),
        Mistake(
            "the_share_itself",
            "This is the probe's share of the row, p = 1/(1 + e^H). Solve for H.",
            _with(of_share=lambda p: p),
        ),
        Mistake(
            "bits",
            "This is in bits. The course measures in nats: natural logarithm.",
            _with(of_share=lambda p: (1 - p).log2() - p.log2()),
        ),
        Mistake(
            "probe_scores_zero",
            "Your probe scores 0, whatever the query. What comes out is log Σ e^s, the row's log-sum-exp. Give it the "
            "score that the row pays attention to on average: E = Σ P s, by one more feature.",
            _with(mark=0.0),
        ),
        Mistake(
            "plain_mean",
            "The probe scores the plain mean of the row's scores. It needs the mean that attention takes, E = Σ P s, "
            "in which a key counts as much as it is looked at: scale · q · (P K), and P K is the kernel with K for "
            "values.",
            _with(_even),
        ),
        Mistake(
            "greatest_score",
            "The probe scores as much as the row's greatest key. It needs the score that the row pays attention to on "
            "average, E = Σ P s.",
            _with(_greatest),
        ),
        Mistake(
            "energy_for_entropy",
            "This is the mean energy E = Σ P s. It is half of the answer: give it to the probe as a score, and see "
            "what share the probe gets.",
            lambda attend, q, k: _energy(attend, q, k)[..., 0],
        ),
    ),
)
