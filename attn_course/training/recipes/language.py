"""The course's language model: a small GPT that has read Python's documentation, character by character.

It sees 128 characters at once, with rotary positions, so it may write on beyond them, and gets worse there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_course.attention import Rotary, fused
from attn_course.models.gpt import GPT
from attn_course.tasks.documentation import documentation, encode, passages, surprise
from attn_course.training.checkpoints import Recipe
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup_cosine

WINDOW, STEPS = 128, 1000


def make() -> GPT:
    """Three layers of four heads, 96 features: 355,488 parameters."""
    characters = len(documentation().characters)
    return GPT(characters, d_model=96, heads=4, layers=3, positions=Rotary(24), mechanism=fused)


def fit(model: GPT, steps: int = STEPS, seed: int = 0) -> History:
    text = encode(documentation().train)

    def loss(model: GPT, generator: torch.Generator) -> Tensor:
        read = passages(text, generator, batch=32, length=WINDOW + 1)
        return F.cross_entropy(model(read[:, :-1]).flatten(0, 1), read[:, 1:].flatten())

    return train(model, loss, steps, lr=4e-3, seed=seed, schedule=warmup_cosine(100), weight_decay=0.1, clip=1.0)


def figures(model: GPT) -> dict[str, float]:
    """Bits a character on the held-out text (`surprise`: window 128, stride 64), all of it."""
    return {"held_out_bits": surprise(model, encode(documentation().held_out), WINDOW, WINDOW // 2).mean().item()}


RECIPES = {"language": Recipe(make, fit, figures)}
