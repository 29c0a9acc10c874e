"""How accuracy rises with the number of examples in context, for labels drawn anew and for fixed ones: three seeds."""

import torch

from attn_course.tasks.fewshot import CHANCE, ideal_accuracy
from attn_course.training.recipes.fewshot import EXAMPLES, FIXED, RECIPES, SHIFTED, copied_and_concluded, measured

SEEDS = (0, 1, 2)


def measure() -> dict:
    """runs[recipe][seed]: accuracy after 0, 1, … 12 examples with "new", "fixed" and "shifted" labels, and more.

    "copied" and "concluded" as in `copied_and_concluded`; "curve": [[step, accuracy after 12 examples], …].
    """
    return {
        "seeds": list(SEEDS),
        "chance": CHANCE,
        "ideal": [round(ideal_accuracy(examples), 4) for examples in range(EXAMPLES + 1)],
        "runs": {name: {str(seed): run(name, seed) for seed in SEEDS} for name in RECIPES},
    }


def run(name: str, seed: int) -> dict:
    torch.manual_seed(seed)
    model = RECIPES[name].make()
    history = RECIPES[name].fit(model, seed=seed)
    model.eval()
    copied, concluded = copied_and_concluded(model)
    accuracies = {
        "new": measured(model),
        "fixed": measured(model, FIXED),
        "shifted": measured(model, SHIFTED),
        "curve": history.measured["after_12"],
    }
    return {"copied": round(copied, 4), "concluded": round(concluded, 4)} | {
        key: _rounded(values) for key, values in accuracies.items()
    }


def _rounded(values: list) -> list:
    return [round(each, 4) if isinstance(each, float) else [each[0], round(each[1], 4)] for each in values]
