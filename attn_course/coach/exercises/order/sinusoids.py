"""The vectors of the first transformer: waves of growing length."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task

BASE = 10_000.0


def slow_sinusoids(at: Tensor, d: int) -> Tensor:
    """Number by number: features 2i and 2i + 1 hold sin and cos of at / BASE^(2i/d)."""
    rows = []
    for place in at.tolist():
        row = []
        for i in range(d // 2):
            angle = place / BASE ** (2 * i / d)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows, dtype=at.dtype)


def _with(rate=lambda i, d: BASE ** (-2 * i / d), pair=lambda a: (a.sin(), a.cos()), lay=None, at=lambda at: at):
    """The solution with one part exchanged for a wrong one."""

    def answer(positions: Tensor, d: int) -> Tensor:
        i = torch.arange(d // 2, dtype=positions.dtype)
        first, second = pair(at(positions)[:, None] * rate(i, d))
        if lay is not None:
            return lay(first, second)
        return torch.stack([first, second], dim=-1).flatten(-2)

    return answer


def _every_feature_its_own(at: Tensor, d: int) -> Tensor:
    feature = torch.arange(d, dtype=at.dtype)
    angle = at[:, None] * BASE ** (-feature / d)
    return torch.where(feature % 2 == 0, angle.sin(), angle.cos())


def _from_minus_one_to_one(out: Tensor, at: Tensor, d: int) -> str | None:
    if bool((out.abs() > 1 + 1e-6).any()):
        return "A sine or a cosine lies between −1 and 1, and your output does not."
    return None


def _at(*places: float) -> Tensor:
    return torch.tensor(places, dtype=torch.float64)


TASK = Task(
    id="order.sinusoids",
    reference=slow_sinusoids,
    cases=(
        Case("places 0 and 1, d = 2", (_at(0, 1), 2)),
        Case("places 0, 1 and 2, d = 4", (_at(0, 1, 2), 4)),
        Case("places 5, 3 and 11 (not from 0, not in order), d = 4", (_at(5, 3, 11), 4)),
        Case("places 0, 7 and 700, d = 12", (_at(0, 7, 700), 12)),
    ),
    axes=("token", "feature"),
    gradients=False,
    properties=(_from_minus_one_to_one,),
    mistakes=(
        Mistake(
            "sines_then_cosines",
            "All sines stand first and all cosines after them. In the paper they take turns: sin in features 0, 2, 4, "
            "…, cos in 1, 3, 5, …. (Both are used, and weights trained with one are wrong with the other.)",
            _with(lay=lambda a, b: torch.cat([a, b], dim=-1)),
        ),
        Mistake(
            "cosines_first",
            "Sine and cosine are exchanged: even features hold the sine.",
            _with(pair=lambda a: (a.cos(), a.sin())),
        ),
        Mistake(
            "half_the_exponent",
            "The exponent is i/d for pair number i. It should be 2i/d, so that the waves reach the full base over all "
            "pairs and not its root.",
            _with(rate=lambda i, d: BASE ** (-i / d)),
        ),
        Mistake(
            "every_feature_its_own",
            "Every feature has a wave of its own. Features 2i and 2i + 1 are sine and cosine of *one* angle: only so "
            "does a step become a rotation.",
            _every_feature_its_own,
        ),
        Mistake(
            "positions_ignored",
            "You counted the rows, 0, 1, 2, …, and did not look at the positions that were given. A text may begin "
            "anywhere.",
            lambda at, d: _with()(torch.arange(len(at), dtype=at.dtype), d),
        ),
        Mistake(
            "from_one",
            "Your places are one too large: place 0 has angle 0, so its vector is 0, 1, 0, 1, ….",
            _with(at=lambda at: at + 1),
        ),
        Mistake(
            "waves_that_shorten",
            "The angle is multiplied by base^(2i/d) instead of divided: the waves get shorter from pair to pair.",
            _with(rate=lambda i, d: BASE ** (2 * i / d)),
        ),
        Mistake(
            "all_alike",
            "All pairs turn at the same rate, so places 2π apart look alike in every feature. Pair i turns at "
            "10000^(−2i/d).",
            _with(rate=lambda i, d: torch.ones_like(i)),
        ),
        Mistake(
            "whole_turns",
            "The angle is multiplied by 2π. Here a place is an angle in radians as it stands.",
            _with(at=lambda at: 2 * math.pi * at),
        ),
    ),
)
