"""Attention in which queries and keys are turned by their place."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random

BASE = 10_000.0


def slow_rotary(q: Tensor, k: Tensor, v: Tensor, at: Tensor) -> Tensor:
    """Score by score: pair i of q and k meet at an angle of (at_q − at_k) / BASE^(2i/d). Pairs are (i, i + d/2)."""
    half, n = q.shape[-1] // 2, len(at)
    outputs = []
    for a in range(n):
        powers = []
        for b in range(n):
            score = 0
            for i in range(half):
                angle = (at[a] - at[b]) / BASE ** (i / half)
                (x, y), (u, w) = (q[..., a, i], q[..., a, i + half]), (k[..., b, i], k[..., b, i + half])
                score = score + (x * u + y * w) * angle.cos() + (x * w - y * u) * angle.sin()
            powers.append((score / math.sqrt(q.shape[-1])).exp()[..., None])
        outputs.append(sum(power * v[..., b, :] for b, power in enumerate(powers)) / sum(powers))
    return torch.stack(outputs, dim=-2)


def _rates(d: int) -> Tensor:
    return BASE ** (-2 * torch.arange(d // 2, dtype=torch.float64) / d)


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.chunk(2, dim=-1)


def _join_halves(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a, b], dim=-1)


def _rotate(x: Tensor, at: Tensor, rates=_rates, apart=_halves, joined=_join_halves, signs=(-1, 1)) -> Tensor:
    angle = at[:, None] * rates(x.shape[-1])
    a, b = apart(x)
    return joined(a * angle.cos() + signs[0] * b * angle.sin(), signs[1] * a * angle.sin() + b * angle.cos())


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1) @ v


def _with(**parts):
    """The solution with one part of the rotation exchanged for a wrong one."""
    return lambda q, k, v, at: _attend(_rotate(q, at, **parts), _rotate(k, at, **parts), v)


def _interleaved(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 0::2], x[..., 1::2]


def _join_interleaved(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([a, b], dim=-1).flatten(-2)


def _one_half_left(x: Tensor, at: Tensor) -> Tensor:
    """The first half becomes a cos − b sin, the second stays."""
    a, b = _halves(x)
    angle = at[:, None] * _rates(x.shape[-1])
    return _join_halves(a * angle.cos() - b * angle.sin(), b)


def _case(name: str, at: list[float], d: int, *lead: int, seed: int) -> Case:
    shape = (*lead, len(at), d)
    x = (random(*shape, seed=seed), random(*shape, seed=seed + 1), random(*shape, seed=seed + 2))
    return Case(name, (*x, torch.tensor(at, dtype=torch.float64)))


TASK = Task(
    id="order.rotary",
    reference=slow_rotary,
    cases=(
        _case("2 tokens at places 0 and 1, d = 2", [0, 1], 2, seed=1),
        _case("3 tokens at places 0, 1 and 2, d = 4", [0, 1, 2], 4, seed=10),
        _case("3 tokens at places 4, 9 and 2 (not from 0, not in order), d = 4", [4, 9, 2], 4, seed=20),
        _case("2 sentences, 2 heads, 5 tokens at places 30 to 34, d = 8", [30, 31, 32, 33, 34], 8, 2, 2, seed=30),
    ),
    axes=("query", "d_v"),
    refused=FUSED,
    mistakes=(
        Mistake(
            "values_too",
            "The values are rotated as well. Where a token stands decides who finds it, not what it says: turn "
            "queries and keys, and leave the values.",
            lambda q, k, v, at: _attend(_rotate(q, at), _rotate(k, at), _rotate(v, at)),
        ),
        Mistake(
            "queries_only",
            "Only the queries are rotated, so a score depends on where the query stands and not on the distance. Turn "
            "the keys by their own places.",
            lambda q, k, v, at: _attend(_rotate(q, at), k, v),
        ),
        Mistake(
            "keys_only",
            "Only the keys are rotated. Turn the queries by their own places too.",
            lambda q, k, v, at: _attend(q, _rotate(k, at), v),
        ),
        Mistake(
            "interleaved",
            "The pairs are (0, 1), (2, 3), …: the other layout. Here pair i is features i and i + d/2, the two halves. "
            "No shape tells the two apart.",
            _with(apart=_interleaved, joined=_join_interleaved),
        ),
        Mistake(
            "mixed_layouts",
            "Queries are paired in halves and keys interleaved. Both need one layout, or the distance is lost.",
            lambda q, k, v, at: _attend(
                _rotate(q, at), _rotate(k, at, apart=_interleaved, joined=_join_interleaved), v
            ),
        ),
        Mistake(
            "half_the_exponent",
            "Pair i turns at base^(−i/d). It should be base^(−2i/d): there are only d/2 pairs, and over them the rate "
            "falls through the whole base.",
            _with(rates=lambda d: BASE ** (-torch.arange(d // 2, dtype=torch.float64) / d)),
        ),
        Mistake(
            "no_rotation",
            "One sign is wrong: with a·cos + b·sin beside a·sin + b·cos the pair is not turned, and its length "
            "changes with the place. One of the two sines needs a minus.",
            _with(signs=(1, 1)),
        ),
        Mistake(
            "turned_against_each_other",
            "Queries turn one way and keys the other, so scores depend on the *sum* of the places. Turn both the same "
            "way, and the difference is left.",
            lambda q, k, v, at: _attend(_rotate(q, at), _rotate(k, at, signs=(1, -1)), v),
        ),
        Mistake(
            "one_half_left",
            "Only the first half of the features is turned; the second must become a·sin + b·cos.",
            lambda q, k, v, at: _attend(_one_half_left(q, at), _one_half_left(k, at), v),
        ),
        Mistake(
            "positions_ignored",
            "You counted 0, 1, 2, … and did not look at the positions that were given: these tokens stand elsewhere.",
            lambda q, k, v, at: _with()(q, k, v, torch.arange(len(at), dtype=at.dtype)),
        ),
        Mistake(
            "unscaled",
            "The scores are not divided by √d.",
            lambda q, k, v, at: _attend(_rotate(q, at) * math.sqrt(q.shape[-1]), _rotate(k, at), v),
        ),
        Mistake("not_turned", "Nothing is rotated: this is attention on a bag.", lambda q, k, v, at: _attend(q, k, v)),
    ),
)
