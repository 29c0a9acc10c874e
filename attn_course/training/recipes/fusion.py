"""Three models that are asked about two images: each image alone, both mixed, and one read through the other."""

import torch
import torch.nn.functional as F
from torch import nn

from attn_course.models.fusion import Fusion, MixedFusion, RelayedFusion, mass_on_left
from attn_course.tasks.digits import split
from attn_course.tasks.two_images import ANSWERS, LEFT, QUESTIONS, RIGHT, WORDS, Pairs, pairs
from attn_course.training.checkpoints import Recipe
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup_cosine

STEPS = 2000
KINDS = {"fusion": Fusion, "fusion-mixed": MixedFusion, "fusion-relayed": RelayedFusion}
# With two heads the relayed one had not learned in as many steps to pass the left image on, in two runs of three.
HEADS = {"fusion": 2, "fusion-mixed": 2, "fusion-relayed": 4}


def make_fusion(kind: str, seed: int = 0) -> Fusion:
    """4 patches of 4 × 4 pixels an image, 48 features, a block for images, one for words; not trained yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KINDS[kind](patch=4, heads=HEADS[kind], words=len(WORDS), answers=len(ANSWERS))


def fit_fusion(model: nn.Module, seed: int = 0, steps: int = STEPS) -> History:
    """Train on pairs of the digits of `split(seed)` that are not held out."""
    known, _ = split(seed)

    def loss_of_batch(model: nn.Module, generator: torch.Generator) -> torch.Tensor:
        drawn = pairs(known, generator)
        return F.cross_entropy(model(drawn.left, drawn.right, drawn.words), drawn.answer)

    return train(model, loss_of_batch, steps, lr=3e-3, seed=seed, schedule=warmup_cosine(100))


def held_out_pairs(seed: int, question: int | None = None, count: int = 500) -> Pairs:
    """Pairs of digits that the model of this seed has not seen."""
    _, held_out = split(seed)
    return pairs(held_out, torch.Generator().manual_seed(1), count, question)


@torch.no_grad()
def accuracy(model: nn.Module, drawn: Pairs) -> float:
    """Share of the questions that are answered rightly."""
    return (model(drawn.left, drawn.right, drawn.words).argmax(dim=-1) == drawn.answer).float().mean().item()


def figures(model: nn.Module, seed: int = 0) -> dict[str, float]:
    """Accuracy over all questions and for each, and the attention paid to the left image when either is asked for."""
    asked = {question: held_out_pairs(seed, number) for number, question in enumerate(QUESTIONS)}
    found = {question: accuracy(model, drawn) for question, drawn in asked.items()}
    left, right = (asked[QUESTIONS[number]] for number in (LEFT, RIGHT))
    return {
        "accuracy": sum(found.values()) / len(found),
        **found,
        "mass on left, asked left": mass_on_left(model, left.left, left.right, left.words).mean().item(),
        "mass on left, asked right": mass_on_left(model, right.left, right.right, right.words).mean().item(),
    }


RECIPES = {kind: Recipe(lambda kind=kind: make_fusion(kind), fit_fusion, figures) for kind in KINDS}
