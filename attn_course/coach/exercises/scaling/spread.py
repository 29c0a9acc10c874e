"""How far scores spread."""

import math

from attn_course.coach.spec import Case, Mistake, Task


def slow_spread(d_k: int, sigma_q: float, sigma_k: float) -> float:
    """Add the variances of the d_k terms, one by one."""
    variance = 0.0
    for _ in range(d_k):
        variance += sigma_q**2 * sigma_k**2
    return variance**0.5


SEVEN_DIGITS = 1e-6  # what torch's float32 gives; no mistake

TASK = Task(
    id="scaling.spread",
    reference=slow_spread,
    cases=(
        Case("d_k = 4, both spreads 1", (4, 1.0, 1.0), SEVEN_DIGITS),
        Case("d_k = 9, spreads 2 and 1", (9, 2.0, 1.0), SEVEN_DIGITS),
        Case("d_k = 64, spreads 0.5 and 3", (64, 0.5, 3.0), SEVEN_DIGITS),
        Case("d_k = 10, spreads 0.3 and 1.7", (10, 0.3, 1.7), SEVEN_DIGITS),
    ),
    gradients=False,
    mistakes=(
        Mistake(
            "variance",
            "This is the variance. The spread asked for is the standard deviation, its square root.",
            lambda d_k, sigma_q, sigma_k: d_k * sigma_q**2 * sigma_k**2,
        ),
        Mistake(
            "terms_add_straight",
            "You let the spreads of the terms add up to d_k times one of them. Independent terms partly cancel: "
            "their variances add, so the spread grows with √d_k.",
            lambda d_k, sigma_q, sigma_k: d_k * sigma_q * sigma_k,
        ),
        Mistake(
            "unit_spreads",
            "Right for numbers of spread 1. Here q and k have spreads of their own, and both stretch the scores.",
            lambda d_k, sigma_q, sigma_k: math.sqrt(d_k),
        ),
        Mistake(
            "after_scaling",
            "This is the spread after the division by √d_k. The question is about the dot product before it.",
            lambda d_k, sigma_q, sigma_k: sigma_q * sigma_k,
        ),
        Mistake(
            "spreads_added",
            "You added the two variances. They are multiplied: q and k meet in a product, not in a sum.",
            lambda d_k, sigma_q, sigma_k: math.sqrt(d_k * (sigma_q**2 + sigma_k**2)),
        ),
    ),
)
