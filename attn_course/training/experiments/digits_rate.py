"""Do the remedies save a high learning rate elsewhere? Digits, four layers, a rate of 0.02, no warm-up: a second look.

300 digits to learn from, 360 held out, as in `entropy_held`, and the same number of steps for all.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import attention
from attn_course.attention.options import Gated, QKNorm, sigma_reparam
from attn_course.models.vit import ViT
from attn_course.tasks.digits import CLASSES, SIDE, draw, split
from attn_course.training.loop import train
from attn_course.training.schedules import constant, warmup

SEEDS = (0, 1, 2, 3)
KNOWN, STEPS, BATCH = 300, 300, 32
D_MODEL, HEADS, LAYERS = 32, 4, 4
HIGH, LOW, WARM = 2e-2, 2e-3, 100
REMEDIES = ("none", "gate", "QK-norm", "σReparam", "warm-up", "a tenth of the rate")


def make(remedy: str, seed: int = 0) -> ViT:
    """An untrained reader of digits, with what a remedy changes in it."""
    if remedy not in REMEDIES:
        raise ValueError(f"remedy should be one of {', '.join(REMEDIES)}; got {remedy!r}.")
    mechanism = {"gate": Gated, "QK-norm": QKNorm}.get(remedy, attention)
    torch.manual_seed(seed)
    model = ViT(SIDE, 2, CLASSES, D_MODEL, HEADS, LAYERS, mechanism=mechanism)
    if remedy == "σReparam":
        sigma_reparam(model)
    return model


def accuracies(remedy: str, seed: int = 0, steps: int = STEPS) -> tuple[float, float] | None:
    """Share read rightly of the known and of the held-out digits; None if a number was not finite on the way."""
    everyone, held_out = split(seed)
    known = everyone[:KNOWN]

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        batch = draw(known, generator, BATCH)
        return F.cross_entropy(model(batch.images), batch.labels)

    model = make(remedy, seed)
    lr = LOW if remedy == "a tenth of the rate" else HIGH
    try:
        train(model, loss, steps, lr, seed, schedule=warmup(WARM) if remedy == "warm-up" else constant)
    except FloatingPointError:
        return None
    with torch.no_grad():
        shares = [(model(x.images).argmax(-1) == x.labels).double().mean().item() for x in (known, held_out)]
    return round(shares[0], 4), round(shares[1], 4)


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS, remedies: tuple[str, ...] = REMEDIES) -> dict:
    """Rows: "known" and "held_out", the share read rightly; None where a number was not finite."""
    rows = []
    for remedy in remedies:
        for seed in seeds:
            known, held_out = accuracies(remedy, seed, steps) or (None, None)
            rows.append({"remedy": remedy, "seed": seed, "known": known, "held_out": held_out})
    settings = {"known": KNOWN, "steps": steps, "batch": BATCH, "layers": LAYERS, "lr": HIGH, "low": LOW, "warm": WARM}
    return {"settings": settings, "seeds": list(seeds), "remedies": list(remedies), "rows": rows}
