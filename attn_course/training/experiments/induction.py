"""How looking back comes into being: what is measured every 20 steps while three kinds of model train, three seeds."""

import torch

from attn_course.training.recipes.induction import FIXED, OTHER, RECIPES, STEPS

SEEDS, EVERY = (0, 1, 2), 20


def measure() -> dict:
    """runs[recipe][seed]: "curve" (name → [[step, value], …]), "jump" and the finished model's "figures".

    The curves hold what `measured` measures, and "loss": the training loss in nats, mean of the last 20 steps, over
    all places, of which only the predictable ones can be known. "jump": the first measured step with at least half
    of the predictable places right; None if there was none.
    """
    return {
        "settings": {"steps": STEPS, "every": EVERY, "fixed_period": FIXED, "other_period": OTHER},
        "seeds": list(SEEDS),
        "runs": {name: {str(seed): run(name, seed) for seed in SEEDS} for name in RECIPES},
    }


def run(name: str, seed: int) -> dict:
    recipe = RECIPES[name]
    torch.manual_seed(seed)
    model = recipe.make()
    history = recipe.fit(model, seed=seed, every=EVERY)
    loss = [(step, sum(history[step - EVERY : step]) / EVERY) for step in range(EVERY, len(history) + 1, EVERY)]
    curve = history.measured | {"loss": loss}
    return {
        "curve": {key: [[step, round(value, 4)] for step, value in pairs] for key, pairs in curve.items()},
        "jump": next((step for step, value in history.measured["repeat_accuracy"] if value >= 0.5), None),
        "figures": {key: round(value, 4) for key, value in recipe.figures(model.eval()).items()},
    }
