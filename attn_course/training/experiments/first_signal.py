"""Which signal comes first? The learning rate rises from nothing to far too much, and every step is watched.

The bars were drawn after a look at one run and before these, and each has a looser and a stricter form, so that one
can see how much of the answer is the bar's. They are judged against the moment at which the loss breaks; and beside
runs in which it does not break (`CALM`), for an alarm that rings there as well says nothing.

    max logit   the greatest q·k/√d of any head: above 100 (where QK-clip acts); 30, 1000
    entropy     beside the first token, below 0.05 of log n, in more than half of the heads (the doctor's rule for a
                collapse); in a quarter of them, in three quarters
    gradient    norm above 3 times the median of the last 50 steps; 2, 10
    loss        breaks where the mean of 5 steps is 0.5 nats above the least such mean before

A step's loss and gradient are those of its batch, before the weights move; the vitals are taken after they have moved.
"""

import statistics

from torch import nn

from attn_course.training.experiments import edge
from attn_course.training.schedules import warmup

SEEDS = tuple(range(12))
STEPS = 300
BREAKING, CALM = 0.1, 0.01  # learning rates at the end of the rise
BARS = {"max logit": (30.0, 100.0, 1000.0), "entropy": (0.25, 0.5, 0.75), "gradient": (2.0, 3.0, 10.0)}
FIXED = 1  # the middle bar is the one that counts
WINDOW, MEAN, BREAK = 50, 5, 0.5
WATCHED = 8  # passages of the held-out text that the vitals are taken on


def watched(lr: float, seed: int = 0, steps: int = STEPS) -> dict[str, list[float]]:
    """Train a toy while its rate rises to lr; the loss, and every signal, at each step.

    "loss"  of the batch; "held out"  on fixed passages; "max logit", "entropy", "collapsed"  as in `edge.vitals`;
    "gradient"  the norm of all gradients
    """
    read = edge.read_twice()[1][:WATCHED]

    def look(model: nn.Module) -> dict:
        held_out = edge.loss_on(model, read).item()
        return {"held out": held_out, "gradient": edge.gradient_norm(model)} | edge.vitals(model, read)

    run = edge.learn(edge.make(seed=seed), lr, steps, seed, schedule=warmup(steps), look=look, every=1)
    series = {name: [row[name] for row in run.rows] for name in run.rows[0] if name != "step"} if run.rows else {}
    return {"loss": run.losses[: len(run.rows)]} | series


def alarms(series: dict[str, list[float]], bars: dict[str, tuple[float, ...]] = BARS) -> dict[str, list[int | None]]:
    """The first step at which each signal passes each of its bars, counted from 1; None where it never does."""
    ratios = over_median(series["gradient"])
    rings = {"max logit": series["max logit"], "entropy": series["collapsed"], "gradient": ratios}
    return {name: [first(value > bar for value in rings[name]) for bar in bars[name]] for name in bars}


def breaks(losses: list[float]) -> int | None:
    """The first step at which the mean of the last 5 losses is 0.5 nats above the least such mean before it."""
    means = [statistics.fmean(losses[i - MEAN : i]) for i in range(MEAN, len(losses) + 1)]
    least = float("inf")
    for i, mean in enumerate(means):
        if mean > least + BREAK:
            return i + MEAN
        least = min(least, mean)
    return None


def over_median(norms: list[float]) -> list[float]:
    """Each gradient norm, by the median of the 50 before it; 0 while there are not so many."""
    return [norm / statistics.median(norms[i - WINDOW : i]) if i >= WINDOW else 0.0 for i, norm in enumerate(norms)]


def first(rings) -> int | None:
    return next((step for step, ring in enumerate(rings, 1) if ring), None)


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS) -> dict:
    """Rows: "breaks" and, for each signal, the steps at which it passed its bars ("alarms"); steps that were made."""
    rows = []
    for lr in (BREAKING, CALM):
        for seed in seeds:
            series = watched(lr, seed, steps)
            rows.append(
                {
                    "lr": lr,
                    "seed": seed,
                    "steps": len(series["loss"]),
                    "breaks": breaks(series["loss"]),
                    "alarms": alarms(series),
                    "last_loss": round(statistics.fmean(series["loss"][-20:]), 4),
                }
            )
    settings = {"steps": steps, "breaking": BREAKING, "calm": CALM, "bars": {k: list(v) for k, v in BARS.items()}}
    return {
        "settings": settings | {"fixed": FIXED, "window": WINDOW, "break": BREAK},
        "seeds": list(seeds),
        "rows": rows,
    }
