"""The basin of learning rates: how well a toy ends at each of six, by width, by depth, and with remedies.

Every rate is constant and without warm-up, and every model reads the same number of characters: few, so that many
models can be tried. What is asked is not how good a model becomes, but how much of the axis is good for it.
"""

import math

from attn_course.training.experiments import edge

RATES = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
SIZES = ((32, 3), (64, 3), (128, 3), (64, 1), (64, 6))  # width, depth
REMEDIES = ("none", "QK-norm")
SEEDS = (0, 1, 2)
STEPS, BATCH = 60, 8
NEAR = 0.2  # nats a character above the best rate of its size: still in the basin


def held_out(remedy: str, width: int, depth: int, lr: float, seed: int, steps: int = STEPS) -> float | None:
    """The loss on fixed passages of unseen text (nats a character); None if a number was not finite on the way."""
    if width < 1 or width % edge.HEADS or depth < 1:
        raise ValueError(f"width is a multiple of the {edge.HEADS} heads and depth is 1 or more; got {width}, {depth}.")
    if not lr > 0:
        raise ValueError(f"A learning rate is above 0, got {lr!r}.")
    unseen = edge.read_twice()[1]

    def look(model) -> dict:
        return {"held out": edge.loss_on(model, unseen).item()}

    model = edge.make(remedy, width, depth, seed)
    run = edge.learn(model, lr, steps, seed, batch=BATCH, look=look, every=steps)
    loss = run.rows[-1]["held out"] if run.rows else math.nan
    return round(loss, 4) if run.finished and math.isfinite(loss) else None


def basin(losses: dict[float, float | None], near: float = NEAR) -> list[float]:
    """The rates that end within `near` of the best, from a loss for each rate."""
    finite = {lr: loss for lr, loss in losses.items() if loss is not None}
    if not finite:
        return []
    least = min(finite.values())
    return [lr for lr, loss in finite.items() if loss <= least + near]


def measure(
    seeds: tuple[int, ...] = SEEDS,
    steps: int = STEPS,
    sizes: tuple[tuple[int, int], ...] = SIZES,
    rates: tuple[float, ...] = RATES,
    remedies: tuple[str, ...] = REMEDIES,
) -> dict:
    """Rows: the held-out loss of every remedy, size, rate and seed; None where a number was not finite."""
    rows = [
        {
            "remedy": remedy,
            "width": width,
            "depth": depth,
            "lr": lr,
            "seed": seed,
            "held_out": held_out(remedy, width, depth, lr, seed, steps),
        }
        for remedy in remedies
        for width, depth in sizes
        for lr in rates
        for seed in seeds
    ]
    settings = {"steps": steps, "batch": BATCH, "length": edge.LENGTH, "heads": edge.HEADS, "near": NEAR}
    axes = {"sizes": [list(size) for size in sizes], "rates": list(rates), "remedies": list(remedies)}
    return {"settings": settings, "seeds": list(seeds)} | axes | {"rows": rows}
