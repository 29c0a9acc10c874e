"""What comes back? The language model, pruned, and trained on for a few hundred steps: three seeds.

Beside it the whole model with the same steps, since those help it too (or do not), and a model of the pruned one's
shape that begins anew. Heads go by what each costs alone, measured on the training text, or by chance.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.models.pruned import size, without_blocks, without_heads
from attn_course.tasks.documentation import documentation, encode, passages
from attn_course.training.experiments.waste_heads import by_layer, costs, heads_of, ordered
from attn_course.training.loop import train
from attn_course.training.recipes.language import BATCH, WINDOW
from attn_course.training.schedules import warmup_cosine
from attn_course.training.waste import Subject, subject

SEEDS, STEPS, RATE, EVERY = (0, 1, 2), 200, 1e-3, 50
FEW, HALF, MOST = 3, 6, 9  # of twelve heads


def tuned(model: nn.Module, steps: int = STEPS, seed: int = 0, every: int = EVERY, of: Subject | None = None) -> dict:
    """Train in place: "before" and "after", bits a held-out character, and the "curve" of (step, bits) between.

    A run that ends before its last step says so in "finished", and its "after" is None.
    """
    of = subject("language") if of is None else of
    text = encode(documentation().train)

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        read = passages(text, generator, batch=BATCH, length=WINDOW + 1)
        return F.cross_entropy(model(read[:, :-1]).flatten(0, 1), read[:, 1:].flatten())

    def bits(model: nn.Module) -> dict[str, float]:
        return of.figures(model, "held out")

    found = {"before": round(bits(model)["loss"], 4)}
    schedule = warmup_cosine(min(20, steps), last=0.02)
    try:
        history = train(
            model, loss, steps, RATE, seed, schedule=schedule, weight_decay=0.3, clip=1.0, measure=bits, every=every
        )
    except FloatingPointError:
        return found | {"after": None, "curve": [], "finished": False}
    curve = [[step, round(value, 4)] for step, value in history.measured["loss"]]
    return found | {"after": curve[-1][1], "curve": curve, "finished": True}


def ways(of: Subject, seed: int) -> dict[str, Callable[[], nn.Module]]:
    """Name → makes the model that is to be trained on."""
    heads = heads_of(of.model)
    cheapest = ordered(heads, costs(of, "choose").mean(-1))
    dice = torch.randperm(len(heads), generator=torch.Generator().manual_seed(seed)).tolist()
    chance = [heads[place] for place in dice]

    def less(gone: Sequence[tuple[int, int]]) -> nn.Module:
        return without_heads(of.model, by_layer(gone))

    def anew() -> nn.Module:
        model = less(cheapest[:HALF])
        torch.manual_seed(seed)
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        return model

    return {
        "whole": lambda: less([]),
        f"{FEW} heads": lambda: less(cheapest[:FEW]),
        f"{HALF} heads": lambda: less(cheapest[:HALF]),
        f"{MOST} heads": lambda: less(cheapest[:MOST]),
        f"{HALF} heads by chance": lambda: less(chance[:HALF]),
        "first block": lambda: without_blocks(of.model, [0]),
        f"{HALF} heads, anew": anew,
    }


def measure(seeds: Sequence[int] = SEEDS, steps: int = STEPS, every: int = EVERY) -> dict:
    """Rows of (way, seed): "before", "after", "curve", and the "parameters" that are left."""
    of = subject("language")
    rows = []
    for seed in seeds:
        for way, make in ways(of, seed).items():
            model = make()
            row = {"way": way, "seed": seed, "parameters": size(model).parameters}
            rows.append(row | tuned(model, steps, seed, every, of))
    return {"settings": {"steps": steps, "rate": RATE, "batch": BATCH}, "seeds": list(seeds), "rows": rows}
