"""Where two runs part: the first module whose outputs differ."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random

Run = list[tuple[str, Tensor]]


def slow_divergence(sick: Run, healthy: Run, tolerance: float) -> str:
    """Module by module, number by number."""
    for (name, a), (_, b) in zip(sick, healthy, strict=True):
        if a.shape != b.shape:
            return name
        gap = norm = 0.0
        for x, y in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True):
            if x == y or (math.isnan(x) and math.isnan(y)):
                norm += y * y if math.isfinite(y) else 0.0
            elif not (math.isfinite(x) and math.isfinite(y)):
                gap = math.inf
            else:
                gap, norm = gap + (x - y) ** 2, norm + y * y
        if gap**0.5 > tolerance * norm**0.5:
            return name
    return "nowhere"


def _gap(a: Tensor, b: Tensor) -> Tensor:
    """a − b, 0 where both are the same thing, NaN and infinity included; infinite where one alone is not finite."""
    same = (a == b) | (a.isnan() & b.isnan())
    return (a - b).masked_fill(same, 0).nan_to_num(torch.inf, torch.inf, torch.inf)


def _finite(b: Tensor) -> Tensor:
    return b.masked_fill(~b.isfinite(), 0)


def _parts(a: Tensor, b: Tensor, tolerance: float) -> bool:
    return bool(_gap(a, b).norm() > tolerance * _finite(b).norm())


def _with(parts: Callable = _parts, shapes: bool = True, pick: Callable = lambda names: names[0]) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(sick, healthy, tolerance):
        parted = [
            name
            for (name, a), (_, b) in zip(sick, healthy, strict=True)
            if (shapes and a.shape != b.shape) or parts(a, b, tolerance)
        ]
        return pick(parted) if parted else "nowhere"

    return answer


def _farthest(sick: Run, healthy: Run, tolerance: float) -> str:
    def far(pair):
        (_, a), (_, b) = pair
        if a.shape != b.shape:
            return math.inf
        return float(_gap(a, b).norm() / _finite(b).norm())

    parted = [pair for pair in zip(sick, healthy, strict=True) if far(pair) > tolerance]
    return max(parted, key=far)[0][0] if parted else "nowhere"


NAMES = ("embed", "w_q", "w_k", "w_v", "mechanism", "w_o", "norm", "w_1", "w_2")


def _case(name: str, parts: str, change: Callable[[Run, Run], None], tolerance: float = 1e-5, n: int = 5) -> Case:
    """Two equal runs of n modules, then `change(sick, healthy)` in place."""
    healthy = [(module, random(2, 3, 4, seed=7 + at)) for at, module in enumerate(NAMES[:n])]
    sick = [(module, x.clone()) for module, x in healthy]
    change(sick, healthy)
    return Case(f"{name} (expected: {parts})", (sick, healthy, tolerance))


def _scaled(*at_and_by: tuple[int, float]) -> Callable[[Run, Run], None]:
    def change(sick, healthy):
        for at, by in at_and_by:
            sick[at][1].mul_(by)

    return change


def _set(*places: tuple[str, int, float]) -> Callable[[Run, Run], None]:
    """One number of a module, of the sick run, the healthy one or both."""

    def change(sick, healthy):
        for who, at, number in places:
            for run in {"sick": (sick,), "healthy": (healthy,), "both": (sick, healthy)}[who]:
                run[at][1][1, 2, 0] = number

    return change


def _each(*changes: Callable) -> Callable[[Run, Run], None]:
    def change(sick, healthy):
        for one in changes:
            one(sick, healthy)

    return change


def _turned(at: int) -> Callable[[Run, Run], None]:
    """The same numbers in another order: the norm and the mean stay."""

    def change(sick, healthy):
        sick[at] = (sick[at][0], sick[at][1].flip(-1))

    return change


def _noise(at: int, size: float) -> Callable[[Run, Run], None]:
    def change(sick, healthy):
        sick[at][1].add_(size * random(2, 3, 4, seed=99))

    return change


def _shorter(at: int, shape: tuple[int, ...]) -> Callable[[Run, Run], None]:
    def change(sick, healthy):
        sick[at] = (sick[at][0], healthy[at][1][tuple(slice(0, n) for n in shape)].clone())

    return change


def _all_times(at: int, by: float) -> Callable[[Run, Run], None]:
    def change(sick, healthy):
        for run in (sick, healthy):
            run[at][1].mul_(by)

    return change


TASK = Task(
    id="vitals.divergence",
    reference=slow_divergence,
    cases=(
        _case("two modules part", "w_q", _scaled((1, 1.5), (3, 0.2)), n=4),
        _case("the first module parts, the others do not", "embed", _scaled((0, 2.0)), n=3),
        _case("nothing parts", "nowhere", _scaled()),
        _case("rounding in w_q, a fault in w_v", "w_v", _each(_noise(1, 1e-8), _scaled((3, 1.1)))),
        _case("the same numbers in another order", "w_k", _turned(2)),
        _case("NaN in the sick run alone", "w_v", _each(_set(("sick", 3, math.nan)), _scaled((4, 2.0)))),
        _case("NaN at the same place of both", "mechanism", _each(_set(("both", 1, math.nan)), _scaled((4, 1.5)))),
        _case("NaN where the healthy run has 0", "w_q", _set(("healthy", 1, 0.0), ("sick", 1, math.nan))),
        _case("NaN in the healthy run alone", "w_k", _each(_set(("healthy", 2, math.nan)), _scaled((3, 2.0)))),
        _case("NaN in both, and a difference beside it", "w_q", _each(_set(("both", 1, math.nan)), _scaled((1, 1.5)))),
        _case("−∞ at the same place of both", "w_o", _each(_set(("both", 2, -math.inf)), _scaled((5, 2.0))), n=7),
        _case(
            "large numbers with their rounding",
            "mechanism",
            _each(_all_times(1, 1e8), _noise(1, 1e-1), _scaled((4, 2))),
        ),
        _case("small numbers that differ", "w_q", _each(_all_times(1, 1e-9), _scaled((1, 1.5)))),
        _case(
            "a number near 0 among large ones",
            "w_v",
            _each(_set(("healthy", 1, 1e-6), ("sick", 1, 3e-6)), _scaled((3, 2))),
        ),
        _case("another shape", "w_v", _each(_shorter(3, (2, 2, 4)), _scaled((4, 2.0)))),
        _case("a shape that spreads", "w_k", _each(_all_times(2, 0.0), _shorter(2, (2, 1, 4)), _scaled((3, 2.0)))),
        _case(
            "a tolerance of 1: twice as long does not part, three times does", "w_k", _scaled((1, 1.9), (2, 3.0)), 1.0
        ),
        _case("9 modules, the last parts", "w_2", _scaled((8, 1.01)), 1e-3, n=9),
    ),
    gradients=False,
    mistakes=(
        Mistake(
            "nan_slips_through",
            "NaN in the sick run gets past you: NaN > tolerance is False, as is every comparison with NaN. NaN in one "
            "run alone is a difference.",
            _with(lambda a, b, t: bool((a - b).norm() > t * b.norm())),
        ),
        Mistake(
            "nan_made_zero",
            "You put 0 where NaN was, and where the healthy run has a small number there, nothing is seen. NaN in one "
            "run alone is a difference, whatever the other holds.",
            _with(lambda a, b, t: bool((a.nan_to_num(0) - b.nan_to_num(0)).norm() > t * b.nan_to_num(0).norm())),
        ),
        Mistake(
            "nan_differs_from_itself",
            "NaN at the same place of both runs is no difference: both went wrong there in the same way, and the "
            "fault you are looking for comes later.",
            _with(lambda a, b, t: not bool((a - b).norm() <= t * b.norm())),
        ),
        Mistake(
            "every_rounding",
            "You ask for equal numbers to the last bit. Two machines round differently: only more than `tolerance` of "
            "the healthy norm counts.",
            _with(lambda a, b, t: bool((_gap(a, b) != 0).any())),
        ),
        Mistake(
            "absolute",
            "Your tolerance is a number, whatever the size of the outputs. Compare with `tolerance` times the norm of "
            "the healthy output.",
            _with(lambda a, b, t: bool(_gap(a, b).norm() > t)),
        ),
        Mistake(
            "number_by_number",
            "You hold every number to a tolerance of its own. One near 0 is then never close enough, though it does "
            "not matter: compare norms of whole outputs.",
            _with(lambda a, b, t: bool((_gap(a, b).abs() > t * _finite(b).abs()).any())),
        ),
        Mistake(
            "sick_norm",
            "You compare with the norm of the *sick* output, which the fault itself may have made large. The measure "
            "is the healthy one's.",
            _with(lambda a, b, t: bool(_gap(a, b).norm() > t * _finite(a).norm())),
        ),
        Mistake(
            "norms_compared",
            "You compare two norms. Outputs can be equally long and point elsewhere: take the norm of the difference.",
            _with(
                lambda a, b, t: bool(
                    (_finite(a).norm() - _finite(b).norm()).abs() > t * _finite(b).norm()
                    or (a.isfinite() != b.isfinite()).any()
                )
            ),
        ),
        Mistake(
            "the_last",
            "This is the last module that differs. A fault spreads to all that follows: the first one is where to "
            "look.",
            _with(pick=lambda names: names[-1]),
        ),
        Mistake(
            "the_farthest",
            "This is the module that differs most. Differences grow and shrink on their way; the first one is where to "
            "look.",
            _farthest,
        ),
        Mistake(
            "shapes_spread",
            "You subtract without a look at the shapes. Where they differ torch stops, or spreads the smaller one and "
            "finds nothing: another shape is a difference.",
            _with(shapes=False),
        ),
    ),
)
