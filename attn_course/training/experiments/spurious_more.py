"""More of everything, for a model trained plainly: more data, a wider model, a stronger marker; and a higher price.

More sentences than 740 do not exist, so "ten times the data" is 740 instead of 74: the steps are the same, the held-out
sentences are the same. The price is the weight of the attention penalty on the row of [CLS].
"""

from collections.abc import Sequence
from functools import cache

from attn_course.tasks.marker import MOST_KNOWN, STRENGTH, split
from attn_course.training.experiments.spurious import row, summary
from attn_course.training.remedies import Remedy, penalised
from attn_course.training.shortcut_model import D_MODEL
from attn_course.training.spurious import STEPS

SEEDS = (0, 1, 2, 3, 4)
KNOWN = (74, 234, MOST_KNOWN)
WIDTHS = (8, 32, 128)
STRENGTHS = (0.5, 0.7, 0.9, STRENGTH, 0.99, 1.0)
PRICES = (0.0, 1.0, 10.0, 100.0)


def measure(
    seeds: Sequence[int] = SEEDS,
    steps: int = STEPS,
    known: Sequence[int] = KNOWN,
    widths: Sequence[int] = WIDTHS,
    strengths: Sequence[float] = STRENGTHS,
    prices: Sequence[float] = PRICES,
) -> dict:
    """Rows of (amount, seed) with all that `look` asks: "data", "width", "strength", "price"; and their summaries."""
    rows = {
        "data": [of_data(n, seed, steps) for seed in seeds for n in known],
        "width": [of_width(d, seed, steps) for seed in seeds for d in widths],
        "strength": [of_strength(p, seed, steps) for seed in seeds for p in strengths],
        "price": [of_price(weight, seed, steps) for seed in seeds for weight in prices],
    }
    settings = {"steps": steps, "usual": {"data": MOST_KNOWN, "width": D_MODEL, "strength": STRENGTH, "price": 0.0}}
    return {
        "settings": settings,
        "seeds": list(seeds),
        "summary": {name: summary(each, "amount") for name, each in rows.items()},
        **rows,
    }


def of_data(known: int, seed: int, steps: int = STEPS) -> dict:
    """Trained on so many sentences."""
    return _amount(known, usual(seed, steps) if known == MOST_KNOWN else row("plain", seed, split(seed, known), steps))


def of_width(d_model: int, seed: int, steps: int = STEPS) -> dict:
    """With so many features."""
    same = d_model == D_MODEL
    return _amount(d_model, usual(seed, steps) if same else row("plain", seed, split(seed), steps, d_model=d_model))


def of_strength(strength: float, seed: int, steps: int = STEPS) -> dict:
    """With a marker that agrees with the label so often, in all sets but the balanced one."""
    same = strength == STRENGTH
    data = split(seed, strength=strength)
    return _amount(strength, usual(seed, steps) if same else row("plain", seed, data, steps))


def of_price(weight: float, seed: int, steps: int = STEPS) -> dict:
    """With the attention penalty at this weight."""
    if not weight >= 0:
        raise ValueError(f"weight is what attention to the marker costs, 0 or more, got {weight!r}.")
    way = Remedy(lambda known: penalised(weight))
    return _amount(weight, usual(seed, steps) if weight == 0 else row(way, seed, split(seed), steps))


@cache
def usual(seed: int, steps: int = STEPS) -> dict:
    """All as in the experiment `spurious`, trained plainly: the amount that the four series have in common."""
    return row("plain", seed, split(seed), steps)


def _amount(amount: float, found: dict) -> dict:
    return {"amount": amount} | {name: value for name, value in found.items() if name != "remedy"}
