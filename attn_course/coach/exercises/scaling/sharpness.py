"""A scale for a wanted entropy."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_sharpness(scores: Tensor, target: float) -> float:
    """Halve the interval, from a scale that is surely too small and one that is surely too large."""
    low, high = 0.0, 1.0
    while _entropy_at(scores, high) > target:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if _entropy_at(scores, middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _entropy_at(scores: Tensor, scale: float) -> float:
    p = (float(scale) * scores.double()).softmax(-1)
    return -torch.xlogy(p, p).sum().item()


def _entropy_reached(scale: float, scores: Tensor, target: float) -> float:
    """The entropy that this scale leads to; NaN for a scale that is not a positive number."""
    return _entropy_at(scores, scale) if math.isfinite(scale) and scale >= 0 else math.nan


def _says_what_it_reached(scale: float, scores: Tensor, target: float) -> str | None:
    if not math.isfinite(scale) or scale < 0:
        return f"The scale should be a positive number, yours is {scale:g}."
    reached = _entropy_at(scores, scale)
    if abs(reached - target) < 1e-4:
        return None
    side = "flat: a larger scale sharpens it" if reached > target else "sharp: a smaller scale flattens it"
    return f"At your scale of {scale:.4g} the entropy is {reached:.4f}, wanted is {target:.4f}: the row is too {side}."


def _bisected(scores: Tensor, target: float, high: float = 1.0, steps: int = 60, turned: bool = False) -> float:
    low = 0.0
    for _ in range(steps):
        middle = (low + high) / 2
        if (_entropy_at(scores, middle) > target) != turned:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _overflowing(scores: Tensor, target: float) -> float:
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        powers = (middle * scores).exp()
        p = powers / powers.sum()
        low, high = (middle, high) if -torch.xlogy(p, p).sum() > target else (low, middle)
    return middle


TASK = Task(
    id="scaling.sharpness",
    reference=slow_sharpness,
    cases=(
        Case("2 keys with scores 0 and 1, entropy 0.3", (torch.tensor([0.0, 1.0], dtype=torch.float64), 0.3), 1e-4),
        Case("8 keys, entropy 1.5", (random(8, seed=1), 1.5), 1e-4),
        Case("8 keys, entropy 0.2", (random(8, seed=2), 0.2), 1e-4),
        Case("16 keys with scores near 50, entropy 2", (50 * random(16, seed=3), 2.0), 1e-4),
        Case("12 keys with tiny scores, entropy 1", (0.01 * random(12, seed=4), 1.0), 1e-4),
        Case("8 keys with scores around 5000", (5000 + random(8, seed=5), 1.2), 1e-4),
    ),
    gradients=False,
    seen_through=_entropy_reached,
    properties=(_says_what_it_reached,),
    mistakes=(
        Mistake(
            "temperature",
            "You returned the temperature, one over the scale. Scores are multiplied by the scale here: large means "
            "sharp.",
            lambda scores, target: 1 / slow_sharpness(scores, target),
        ),
        Mistake(
            "wrong_half",
            "You kept the wrong half of the interval. Entropy *falls* as the scale grows, so an entropy above the "
            "target asks for a larger scale.",
            lambda scores, target: _bisected(scores, target, high=100.0, turned=True),
        ),
        Mistake(
            "one_is_enough",
            "You searched between 0 and 1, and the wanted scale lies above. Double the upper end until the entropy "
            "there is below the target.",
            lambda scores, target: _bisected(scores, target, high=1.0),
        ),
        Mistake(
            "the_usual_scale",
            "This is 1/√n. No fixed formula gives a wanted entropy: it depends on the scores, so search.",
            lambda scores, target: 1 / math.sqrt(scores.shape[-1]),
        ),
        Mistake(
            "overflows",
            "Right until scale · score passes 700: then exp is infinite and the entropy NaN, and the search runs away "
            "from it. Use `torch.softmax`, or subtract the largest score first.",
            _overflowing,
        ),
        Mistake(
            "bits",
            "You measured the entropy in bits. The target is in nats: use the natural logarithm.",
            lambda scores, target: slow_sharpness(scores, target * math.log(2)),
        ),
    ),
)
