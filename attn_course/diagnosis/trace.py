"""Follow two runs module by module, and find the first module whose own code gives something else.

healthy = trace(model, tokens)
sick = trace(broken, tokens)
print(first_divergence(sick, healthy))      # "stack.blocks.1.attention.w_v is the first to part: given the same, its …"
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from attn_course.diagnosis.steps import Step, Trace, trace

__all__ = ["Divergence", "Step", "Trace", "first_divergence", "trace"]

TOLERANCE = 1e-5  # of the healthy norm: what float32 loses when the same sum is taken in another order
_AXES = {1: ("feature",), 3: ("batch", "token", "feature"), 4: ("batch", "head", "token", "feature")}


@dataclass(frozen=True)
class Divergence:
    """The first place where two runs part. `str()` of it is a sentence."""

    module: str | None  # whose own code does it; None: the runs were given different things, or differ in structure
    seen_at: str  # the module where the difference is seen, going in or coming out
    same_inputs: bool  # whether the module where it is seen was given the same
    after: str | None  # the last module that still gave the same; None: there is none
    distance: float  # ‖sick − healthy‖ / ‖healthy‖; infinite where one alone is not finite, or where shapes differ
    where: dict[str, int]  # where the difference is largest: {"batch": 0, "token": 3, "feature": 7}
    sick: float  # the two numbers there
    healthy: float
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class _Gap:
    distance: float
    at: tuple[int, ...] = ()
    sick: float = math.nan
    healthy: float = math.nan
    shapes: str = ""  # in words, where there is nothing to subtract


def first_divergence(sick: Trace, healthy: Trace, tolerance: float = TOLERANCE) -> Divergence | None:
    """The first module at which two runs part by more than `tolerance` of the healthy norm; None: they do not.

    A number that is NaN in both runs is the same, NaN in one is a difference. Whole numbers and True and False must be
    equal. Runs of other modules, or with other shapes, part there. Raises ValueError for an empty trace.
    """
    if not sick.steps or not healthy.steps:
        raise ValueError("A trace without a step holds no run. Make one with trace(model, inputs).")
    after, early = None, None
    for (goes_in, a), (healthy_goes_in, b) in zip(sick.events(), healthy.events(), strict=False):
        if (goes_in, a.name) != (healthy_goes_in, b.name):
            return _other_path(after, (goes_in, a), (healthy_goes_in, b))
        for name, gap in _gaps(goes_in, a, b):
            if gap.distance > tolerance:
                return _parted(goes_in, name, gap, a, b, after, early)
            if gap.distance > 0 and early is None:
                early = (a.name, gap.distance)
        after = after if goes_in else a
    if len(sick.events()) == len(healthy.events()):
        return None
    who, error = ("healthy", healthy.stopped) if sick.stopped is None else ("sick", sick.stopped)
    return _stopped(a, after, who, error)


def _gaps(goes_in: bool, a: Step, b: Step) -> list[tuple[str, _Gap]]:
    """How far each input, or the output, is from the healthy one, by name."""
    if not goes_in:
        return [("output", _gap(a.output, b.output))]
    if len(a.inputs) == len(b.inputs):  # the code of one may call them otherwise
        pairs = zip(a.inputs, a.inputs.values(), b.inputs.values(), strict=True)
        return [(name, _gap(mine, theirs)) for name, mine, theirs in pairs]
    names = list(dict.fromkeys((*a.inputs, *b.inputs)))
    return [(name, _gap(a.inputs.get(name), b.inputs.get(name))) for name in names]


def _gap(a: Tensor | None, b: Tensor | None) -> _Gap:
    if a is None and b is None:
        return _Gap(0.0)
    if a is None or b is None or a.shape != b.shape:
        return _Gap(math.inf, shapes=_shapes(a, b))
    exact = not (a.is_floating_point() and b.is_floating_point())
    a, b = a.double(), b.double()
    same = (a == b) | (a.isnan() & b.isnan())
    if same.all():
        return _Gap(0.0)
    gap = (a - b).abs().masked_fill(same, 0).nan_to_num(nan=math.inf, posinf=math.inf)
    flat = int(gap.argmax())
    at = tuple(int(x) for x in torch.unravel_index(torch.tensor(flat), gap.shape))
    distance = float(gap.norm() / b.masked_fill(~b.isfinite(), 0).norm())  # x / 0 is infinite
    return _Gap(math.inf if exact else distance, at, float(a.flatten()[flat]), float(b.flatten()[flat]))


def _parted(goes_in, name, gap, a: Step, b: Step, after: Step | None, early) -> Divergence:
    axes = _AXES.get(len(gap.at)) if len(gap.at) < 4 or a.kind == "mechanism" else None
    if name in ("visible", "memory_visible") and gap.at:
        axes = (*("batch", "head", "query", "key")[-len(gap.at) :],)
    axes = tuple(f"axis {number}" for number in range(len(gap.at))) if axes is None else axes
    where = dict(zip(axes, gap.at, strict=True))
    module = a.parent if goes_in else a.name
    if module is None:
        sentence = f"The two runs were given different inputs: {name} {_how(gap, where)}. Trace both on the same."
    elif goes_in:
        sentence = f"{module} is the first to part, in its own code {_between(after, a)}: {name} of {a.name} "
        sentence += f"{_how(gap, where)}."
    else:
        own = f" in its own code after {after.name}" if after is not None and after.parent == a.name else ""
        sentence = f"{module} is the first to part{own}: given the same, its output {_how(gap, where)}."
    if gap.shapes and "mask" in name:
        sentence += " If the two attend by different implementations, give both the same: their masks differ."
    sentence += _beside(a, b, early)
    last = None if after is None else after.name
    return Divergence(module, a.name, not goes_in, last, gap.distance, where, gap.sick, gap.healthy, sentence)


def _between(after: Step | None, step: Step) -> str:
    beside = after is not None and after.parent == step.parent
    return f"between {after.name} and {step.name}" if beside else f"before {step.name}"


def _how(gap: _Gap, where: dict[str, int]) -> str:
    """The rest of a sentence that begins with what differs."""
    if gap.shapes:
        return gap.shapes
    place = ", ".join(f"{axis} {number}" for axis, number in where.items())
    numbers = f"{place} ({gap.sick:.4g} instead of {gap.healthy:.4g})"
    if math.isfinite(gap.distance):
        return f"is {gap.distance:.2g} of the healthy norm away, most at {numbers}"
    return f"differs at {numbers}"


def _beside(a: Step, b: Step, early: tuple[str, float] | None) -> str:
    """What else there is to know: random numbers, and a difference that was there before but too small to count."""
    more = ""
    if a.drew or b.drew:
        who = "Both runs draw" if a.drew and b.drew else f"The {'sick' if a.drew else 'healthy'} run draws"
        more += f" {who} random numbers there: dropout is on, and model.eval() turns it off."
    if early is not None:
        more += f" A difference too small to count ({early[1]:.1g} of the norm) is there from {early[0]} on."
    return more


def _stopped(step: Step, after: Step | None, who: str, error: Exception) -> Divergence:
    """The runs agree as far as the one of them goes that stopped."""
    last = None if after is None else after.name
    inside = f"in {step.name}" if after is None or step.left is None else f"after {last}"
    sentence = f"The runs agree until the {who} one stops {inside} with {type(error).__name__}: {error}"
    return Divergence(step.name, step.name, True, last, math.inf, {}, math.nan, math.nan, sentence)


def _other_path(after: Step | None, sick: tuple[bool, Step], healthy: tuple[bool, Step]) -> Divergence:
    last = None if after is None else after.name
    begin = "from the start" if after is None else f"after {last}"
    sentence = f"The runs have different structures: {begin} the sick one {_goes(*sick)}, "
    sentence += f"the healthy one {_goes(*healthy)}."
    return Divergence(None, sick[1].name, False, last, math.inf, {}, math.nan, math.nan, sentence)


def _goes(goes_in: bool, step: Step) -> str:
    return f"calls {step.name}" if goes_in else f"is done with {step.name}"


def _shapes(a: Tensor | None, b: Tensor | None) -> str:
    if a is None or b is None:
        who, shape = ("sick", b.shape) if a is None else ("healthy", a.shape)
        return f"is missing in the {who} run, and has shape {tuple(shape)} in the other"
    return f"has shape {tuple(a.shape)} instead of {tuple(b.shape)}"
