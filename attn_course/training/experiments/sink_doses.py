"""What makes a sink grow? One thing is changed at a time, three seeds each: dose and response.

asking   how often something has to be fetched: the less, the more queries have nothing to attend to (underload)
window   among how many tokens a trigger has to choose: the more, the denser (overload)
length   how long the rows are
start    how large the token vectors begin
skip     rows without their beginning: cut out of longer ones, so that the first token is any token

The task and the model are those of `sinks`.
"""

from attn_course.tasks.backcopy import LENGTH, Backcopy
from attn_course.training.experiments.sinks import SEEDS, START, STEPS, held_out, run

PLAIN = {"asking": 0.1, "window": 1, "length": LENGTH, "start": START, "skip": 0}
DOSES = {
    "asking": (0.0, 0.02, 0.1, 0.3, 0.8),
    "window": (1, 2, 4, 8, 16),
    "length": (16, 32, 64),
    "start": (0.02, 0.1, 0.5),
    "skip": (0, 8),
}


def one(dose: dict, seed: int, steps: int = STEPS) -> dict:
    """One run with this dose, everything else as in PLAIN."""
    unknown = set(dose) - set(PLAIN)
    if unknown:
        raise ValueError(f"A dose is one of {', '.join(PLAIN)}; got {', '.join(sorted(unknown))}.")
    all_of_them = PLAIN | dose
    source = Backcopy(all_of_them.pop("asking"), all_of_them.pop("window"))
    batch = held_out(source, length=all_of_them["length"], skip=all_of_them["skip"])
    about = {
        "nothing to fetch": round(batch.rests[:, 2:].float().mean().item(), 4),
        "ideal": round(batch.ideal_loss, 4),
    }
    return about | run(source, seed, steps, **all_of_them)


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS, doses: dict[str, tuple] | None = None) -> dict:
    """rows[dose]: of (amount, seed), what `sinks.look` finds and the share of queries with "nothing to fetch".

    The amounts that all doses have in common are run once a seed.
    """
    doses = DOSES if doses is None else doses
    plain = {seed: one({}, seed, steps) for seed in seeds}
    rows = {
        name: [
            {"amount": amount, "seed": seed}
            | (plain[seed] if amount == PLAIN[name] else one({name: amount}, seed, steps))
            for amount in amounts
            for seed in seeds
        ]
        for name, amounts in doses.items()
    }
    return {"settings": PLAIN | {"steps": steps}, "seeds": list(seeds), "rows": rows}
