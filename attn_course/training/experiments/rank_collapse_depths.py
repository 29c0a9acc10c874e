"""From which depth on do models without skips around attention fail, and does another rate or more patience mend it?"""

from attn_course.training.experiments.rank_collapse import RATE, SEEDS, STEPS, row

DEPTHS = (3, 4, 6, 8)
DEPTH = 12
CHANCES = ((1e-2, STEPS), (1e-3, STEPS), (3e-4, STEPS), (RATE, 4 * STEPS))  # learning rate, steps


def measure(depths: tuple[int, ...] = DEPTHS, seeds: tuple[int, ...] = SEEDS, steps: int | None = None) -> dict:
    """Rows as in `rank_collapse`. "depths": with skips and without, between its two depths. "chances": the deepest
    without skips around attention, at other learning rates, and for four times as long. steps: for short runs in tests.
    """
    variants = ("skips", "no attention skip")
    rows = [row(v, depth, seed, RATE, steps or STEPS) for v in variants for depth in depths for seed in seeds]
    chances = [row(variants[1], DEPTH, seed, lr, steps or n) for lr, n in CHANCES for seed in seeds]
    return {"depths": rows, "chances": chances}
