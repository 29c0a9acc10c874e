"""Does it hang on the learning rate which encoding does best? The experiment `extrapolation` at a third of its rate."""

from attn_course.training.experiments.extrapolation import ENCODINGS, RATE, SEEDS, STEPS, answers, fit, reader

SLOWER = RATE / 3
COMPARED = ("sinusoidal", "relative bias", "rotary", "ALiBi")


def measure() -> dict:
    """Four encodings, every seed, as they are."""
    return {
        "settings": {"steps": STEPS, "lr": SLOWER},
        "seeds": list(SEEDS),
        "runs": [_run(name, seed) for seed in SEEDS for name in COMPARED],
    }


def _run(name: str, seed: int) -> dict:
    model = reader(ENCODINGS[name](), seed)
    history = fit(model, seed, lr=SLOWER)
    return {
        "encoding": name,
        "seed": seed,
        "shifted": False,
        "trained loss": round(history.tail(), 4),
        "plain": answers(model),
    }
