"""Entropy held down, or up, by a penalty, at a learning rate that is sane: is low entropy itself what harms?

300 digits to learn from, 360 held out: few enough that a model can fit the first and fail on the second.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import watching
from attn_course.models.vit import ViT
from attn_course.tasks.digits import CLASSES, SIDE, Digits, draw, split
from attn_course.training.loop import train

# Added to the loss, times the mean H / log n of all rows. Below 0 entropy is rewarded.
PENALTIES = (-0.3, 0.0, 0.3, 1.0)
SEEDS = (0, 1, 2, 3, 4)
KNOWN, STEPS, BATCH, RATE = 300, 300, 32, 2e-3
D_MODEL, HEADS, LAYERS = 32, 4, 2


def make(seed: int = 0) -> ViT:
    """An untrained reader of digits: 16 patches, 32 features, 4 heads, 2 layers."""
    torch.manual_seed(seed)
    return ViT(image=SIDE, patch=2, classes=CLASSES, d_model=D_MODEL, heads=HEADS, layers=LAYERS)


def read(model: nn.Module, shown: Digits) -> tuple[Tensor, Tensor]:
    """Scores for each class, and the mean H / log n over all rows, with a gradient."""
    with watching(model) as records:
        scores = model(shown.images)
    # From the scores: the gradient of p log p would be 0 · ∞ where a weight is 0.
    logs = [(layer.q @ layer.k.mT * layer.scale).log_softmax(-1) for layer in records]
    entropies = [-(log.exp() * log).sum(-1).mean() / math.log(log.shape[-1]) for log in logs]
    return scores, torch.stack(entropies).mean()


def learn(penalty: float, seed: int = 0, steps: int = STEPS, lr: float = RATE) -> tuple[ViT, Digits, Digits]:
    """Train with cross-entropy + penalty · H / log n; the model, what it learned from, and what was held out."""
    everyone, held_out = split(seed)
    known = everyone[:KNOWN]

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        batch = draw(known, generator, BATCH)
        scores, entropy = read(model, batch)
        return F.cross_entropy(scores, batch.labels) + penalty * entropy

    model = make(seed)
    train(model, loss, steps, lr, seed)
    return model.eval(), known, held_out


def measure(seeds: tuple[int, ...] = SEEDS, steps: int = STEPS) -> dict:
    """Rows: "entropy" (of log n, on the held-out digits), "loss" (nats) and "accuracy", each "known" and "held_out"."""
    rows = []
    for penalty in PENALTIES:
        for seed in seeds:
            model, known, held_out = learn(penalty, seed, steps)
            row = {"penalty": penalty, "seed": seed}
            for name, shown in (("known", known), ("held_out", held_out)):
                with torch.no_grad():
                    scores, entropy = read(model, shown)
                right = (scores.argmax(-1) == shown.labels).double().mean().item()
                row[name] = {
                    "loss": round(F.cross_entropy(scores, shown.labels).item(), 4),
                    "accuracy": round(right, 4),
                }
            rows.append(row | {"entropy": round(entropy.item(), 4)})
    settings = {"known": KNOWN, "steps": steps, "batch": BATCH, "lr": RATE, "layers": LAYERS, "d_model": D_MODEL}
    return {"settings": settings, "seeds": list(seeds), "penalties": list(PENALTIES), "rows": rows}
