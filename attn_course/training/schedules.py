"""How the learning rate changes: functions of (step, steps) that give a factor on it."""

import math
from collections.abc import Callable

Schedule = Callable[[int, int], float]


def constant(step: int, steps: int) -> float:
    """The same rate from the first step to the last."""
    return 1.0


def warmup(n: int) -> Schedule:
    """Rise in equal steps over the first n, then stay."""
    _check(n)
    return lambda step, steps: min(1.0, (step + 1) / n)


def warmup_cosine(n: int, last: float = 0.1) -> Schedule:
    """Rise over the first n steps, then fall along half a cosine to `last` of the rate (Loshchilov & Hutter 2016)."""
    _check(n)

    def factor(step: int, steps: int) -> float:
        if step < n:
            return (step + 1) / n
        share = (step - n) / max(1, steps - 1 - n)  # 0 after the warm-up, 1 at the last step
        return last + (1 - last) * (1 + math.cos(math.pi * share)) / 2

    return factor


def _check(n: int) -> None:
    if n < 1:
        raise ValueError(f"A warm-up takes at least one step, got {n}. Without one, take `constant`.")
