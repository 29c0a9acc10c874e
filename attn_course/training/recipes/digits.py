"""The model that is fine-tuned in the lesson on reach: a ViT that reads digits."""

import torch
import torch.nn.functional as F
from torch import nn

from attn_course.models.vit import ViT
from attn_course.tasks.digits import CLASSES, SIDE, Digits, draw, noisy, rotated, split
from attn_course.training.checkpoints import Recipe
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup_cosine

STEPS = 1000


def make_digits(seed: int = 0) -> ViT:
    """16 patches of 2 × 2 pixels, 48 features, 4 heads, 2 layers; untrained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ViT(image=SIDE, patch=2, classes=CLASSES, d_model=48, heads=4, layers=2)


def fit_digits(model: nn.Module, seed: int = 0, steps: int = STEPS) -> History:
    """Train on the digits of `split(seed)` that are not held out."""
    known, _ = split(seed)

    def loss_of_batch(model: nn.Module, generator: torch.Generator) -> torch.Tensor:
        batch = draw(known, generator)
        return F.cross_entropy(model(batch.images), batch.labels)

    return train(model, loss_of_batch, steps, lr=2e-3, seed=seed, schedule=warmup_cosine(50))


@torch.no_grad()
def accuracy(model: nn.Module, shown: Digits) -> float:
    """Share of the images that the model reads as what they are."""
    return (model(shown.images).argmax(dim=-1) == shown.labels).float().mean().item()


def figures(model: nn.Module) -> dict[str, float]:
    """On 360 digits that were held out: as they are, with noise, turned by 90°."""
    _, held_out = split(0)
    return {
        "held out": accuracy(model, held_out),
        "noise": accuracy(model, noisy(held_out, 0.2, seed=1)),
        "rotation": accuracy(model, rotated(held_out)),
    }


RECIPES = {"digits": Recipe(make_digits, fit_digits, figures)}
