"""Which signal came first, and by how many steps? Curves of a training, each with a bar."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task

Signals = dict[str, tuple[Tensor, float, str]]


def slow_first(signals: Signals) -> str:
    """Step by step."""
    steps = {}
    for name, (curve, bar, side) in signals.items():
        for step, value in enumerate(curve.tolist()):
            if (value > bar and side == "above") or (value < bar and side == "below"):
                steps[name] = step
                break
    return _words(steps)


def _words(steps: dict[str, float]) -> str:
    """`steps`: when each signal crossed, in the order of the signals; those that did not are left out."""
    if not steps:
        return "nobody"
    earliest = min(steps.values())
    names = " and ".join(name for name, step in steps.items() if step == earliest)
    later = [step for step in steps.values() if step > earliest]
    return f"{names} by {min(later) - earliest}" if later else f"{names} alone"


def _beyond(curve: Tensor, bar: float, side: str) -> Tensor:
    return curve > bar if side == "above" else curve < bar


def _step(curve: Tensor, bar: float, side: str) -> int | None:
    return _first_true(_beyond(curve, bar, side))


def _first_true(beyond: Tensor) -> int | None:
    return int(beyond.nonzero()[0]) if beyond.any() else None


def _with(step: Callable = _step, words: Callable = _words) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(signals):
        steps = {name: step(*signal) for name, signal in signals.items()}
        return words({name: at for name, at in steps.items() if at is not None})

    return answer


def _nan_dropped(curve: Tensor, bar: float, side: str) -> int | None:
    return _step(curve[~curve.isnan()], bar, side)


def _ends_at_nan(curve: Tensor, bar: float, side: str) -> int | None:
    known = curve.isnan().nonzero()
    return _step(curve if not len(known) else curve[: int(known[0])], bar, side)


def _last_entry(curve: Tensor, bar: float, side: str) -> int | None:
    """The step from which it stays beyond its bar."""
    beyond = _beyond(curve, bar, side)
    if not beyond[-1]:
        return None
    inside = (~beyond).nonzero()
    return int(inside[-1]) + 1 if len(inside) else 0


def _passes(curve: Tensor, bar: float, side: str) -> int | None:
    """Only a step from within the bar to beyond it."""
    beyond = _beyond(curve, bar, side)
    at = _first_true(beyond[1:] & ~beyond[:-1])
    return None if at is None else at + 1


def _peak(curve: Tensor, bar: float, side: str) -> int | None:
    if not _beyond(curve, bar, side).any():
        return None
    return int((curve if side == "above" else -curve).nan_to_num(-math.inf, math.inf, -math.inf).argmax())


def _first_name(steps: dict[str, int]) -> str:
    if not steps:
        return "nobody"
    name, *others = sorted(steps, key=steps.get)
    return f"{name} by {steps[others[0]] - steps[name]}" if others else f"{name} alone"


def _tie_by_zero(steps: dict[str, int]) -> str:
    earliest = [name for name in steps if steps[name] == min(steps.values())]
    return f"{' and '.join(earliest)} by 0" if len(earliest) > 1 else _words(steps)


def _to_the_last(steps: dict[str, int]) -> str:
    if not steps or len(set(steps.values())) == 1:
        return _words(steps)
    return f"{_words(steps).rpartition(' by ')[0]} by {max(steps.values()) - min(steps.values())}"


def _never_at_the_end(signals: Signals) -> str:
    steps = {name: _step(*signal) for name, signal in signals.items()}
    return _words({name: len(signals[name][0]) if at is None else at for name, at in steps.items()})


NAN = math.nan


def _signals(**curves: tuple[list[float], float, str]) -> Signals:
    return {
        name.replace("_", " "): (torch.tensor(curve, dtype=torch.float64), bar, side)
        for name, (curve, bar, side) in curves.items()
    }


def _case(name: str, expected: str, **curves) -> Case:
    return Case(f"{name} (expected: {expected})", (_signals(**curves),))


def _long() -> Signals:
    """A rising logit, a falling entropy that wavers, a gradient that spikes once, a loss that breaks last."""
    step = torch.arange(60, dtype=torch.float64)
    entropy = 0.9 - 0.02 * step + 0.1 * (step % 2)
    gradient = torch.ones(60, dtype=torch.float64)
    gradient[17], gradient[40:] = NAN, 50.0
    loss = torch.where(step < 45, 4 - 0.05 * step, 9.0)
    logit = 2 * 1.15**step
    return {
        "loss": (loss, 5.0, "above"),
        "gradient": (gradient, 10.0, "above"),
        "entropy": (entropy, 0.25, "below"),
        "max logit": (logit, 100.0, "above"),
    }


TASK = Task(
    id="entropy-collapse.first",
    reference=slow_first,
    cases=(
        _case(
            "2 signals, 4 steps",
            "loss by 2",
            loss=([1, 9, 9, 9], 5.0, "above"),
            gradient=([1, 1, 1, 9], 5.0, "above"),
        ),
        _case(
            "one of them falls below its bar",
            "entropy by 1",
            loss=([1, 1, 1, 9], 5.0, "above"),
            entropy=([0.9, 0.6, 0.2, 0.1], 0.25, "below"),
        ),
        _case(
            "one of them never crosses",
            "gradient alone",
            loss=([1, 2, 3, 4], 5.0, "above"),
            gradient=([1, 2, 6, 7], 5.0, "above"),
        ),
        _case("none ever crosses", "nobody", loss=([1, 2, 3], 5.0, "above"), entropy=([0.9, 0.8, 0.7], 0.25, "below")),
        _case(
            "both at the same step, a third later",
            "loss and entropy by 2",
            loss=([1, 9, 9, 9], 5.0, "above"),
            gradient=([1, 1, 1, 9], 5.0, "above"),
            entropy=([0.9, 0.1, 0.1, 0.1], 0.25, "below"),
        ),
        _case(
            "both at the same step, and no other",
            "loss and entropy alone",
            loss=([1, 1, 9], 5.0, "above"),
            entropy=([0.9, 0.9, 0.1], 0.25, "below"),
        ),
        _case(
            "a curve that only touches its bar",
            "gradient by 2",
            loss=([1, 5, 5, 6], 5.0, "above"),
            gradient=([1, 6, 6, 6], 5.0, "above"),
        ),
        _case(
            "beyond its bar from the start",
            "max logit by 2",
            max_logit=([200, 300, 400], 100.0, "above"),
            loss=([1, 1, 9], 5.0, "above"),
        ),
        _case(
            "a curve that goes back and crosses again",
            "gradient by 1",
            loss=([1, 1, 9, 9, 9, 9], 5.0, "above"),
            gradient=([1, 9, 1, 1, 9, 10], 5.0, "above"),
        ),
        _case(
            "NaN before the crossing",
            "loss by 1",
            loss=([1, 2, 9, 9, 9], 5.0, "above"),
            gradient=([NAN, NAN, 1, 9, 9], 5.0, "above"),
        ),
        _case(
            "NaN in both",
            "entropy by 1",
            loss=([1, 2, NAN, NAN, 9], 5.0, "above"),
            entropy=([0.9, NAN, 0.9, 0.1, 0.1], 0.25, "below"),
        ),
        _case(
            "infinity, which is above every bar",
            "loss by 1",
            loss=([1, math.inf, NAN], 5.0, "above"),
            max_logit=([1, 2, 200], 100.0, "above"),
        ),
        Case("4 signals, 60 steps", (_long(),)),
    ),
    gradients=False,
    mistakes=(
        Mistake(
            "nan_crosses",
            "NaN counts as a crossing in yours: `not value <= bar` is True for it. NaN was not measured, and lies "
            "beyond nothing.",
            _with(lambda curve, bar, side: _first_true(~(curve <= bar) if side == "above" else ~(curve >= bar))),
        ),
        Mistake(
            "nan_dropped",
            "You leave NaN out before counting, and every later step gets a smaller number. A step that was not "
            "measured is still a step.",
            _with(_nan_dropped),
        ),
        Mistake(
            "nan_made_zero",
            "You put 0 where NaN was, and 0 is below the bar of an entropy. What was not measured lies beyond nothing.",
            _with(lambda curve, bar, side: _step(curve.nan_to_num(0.0, math.inf, -math.inf), bar, side)),
        ),
        Mistake(
            "ends_at_nan",
            "Your curve ends at its first NaN. A value that is missing does not end the run: what comes after it "
            "counts.",
            _with(_ends_at_nan),
        ),
        Mistake(
            "never_is_step_0",
            "argmax over a row of nothing but False gives 0, and a signal that never crosses seems to have done it at "
            "once. Ask .any() first.",
            _with(lambda curve, bar, side: int(_beyond(curve, bar, side).int().argmax())),
        ),
        Mistake(
            "never_is_the_end",
            "A signal that never crosses was taken for one that crosses after the last step. It is not in the race: "
            'alone is "alone".',
            _never_at_the_end,
        ),
        Mistake(
            "touching_counts",
            "A value equal to its bar is not beyond it: > and <, not ≥ and ≤.",
            _with(lambda curve, bar, side: _first_true(curve >= bar if side == "above" else curve <= bar)),
        ),
        Mistake(
            "always_above",
            'You ask of every signal whether it is above its bar. Entropy collapses downwards: look at "below".',
            _with(lambda curve, bar, side: _first_true(curve > bar)),
        ),
        Mistake(
            "stays_beyond",
            "You count from the last time it went beyond its bar. The first step beyond it counts, even if the curve "
            "comes back.",
            _with(_last_entry),
        ),
        Mistake(
            "must_come_from_within",
            "A curve that is beyond its bar at step 0 was left out, for it never went from one side to the other. The "
            "first step beyond the bar counts, step 0 too.",
            _with(_passes),
        ),
        Mistake(
            "the_peak",
            "You took the step of the most extreme value. An alarm rings at the first step beyond the bar.",
            _with(_peak),
        ),
        Mistake(
            "one_of_the_tie",
            'Where several cross at the same step, all of them are first: name them all, joined by " and ", in the '
            "order of the signals.",
            _with(words=_first_name),
        ),
        Mistake(
            "tie_by_zero",
            "The lead of a tie is not 0: it is counted to the next signal that crosses later, as for a single one.",
            _with(words=_tie_by_zero),
        ),
        Mistake(
            "to_the_last",
            "You counted to the last signal that crosses. The lead is to the next one.",
            _with(words=_to_the_last),
        ),
    ),
)
