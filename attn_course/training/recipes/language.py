"""The course's language model: a small GPT that has read Python's documentation, character by character.

It sees 128 characters at once. Rotary positions let `GPT.write` go on beyond them, but it was never trained there, and
what it writes falls apart. `written` goes on by forgetting what is further back.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_course.attention import Rotary, fused
from attn_course.models.gpt import GPT
from attn_course.tasks.documentation import decode, documentation, encode, passages, surprise
from attn_course.training.checkpoints import Recipe
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup_cosine

WINDOW, BATCH, STEPS = 128, 8, 4200


def make() -> GPT:
    """Three layers of four heads, 96 features: 355,488 parameters."""
    characters = len(documentation().characters)
    return GPT(characters, d_model=96, heads=4, layers=3, positions=Rotary(24), mechanism=fused)


def fit(model: GPT, steps: int = STEPS, seed: int = 0) -> History:
    text = encode(documentation().train)

    def loss(model: GPT, generator: torch.Generator) -> Tensor:
        read = passages(text, generator, batch=BATCH, length=WINDOW + 1)
        return F.cross_entropy(model(read[:, :-1]).flatten(0, 1), read[:, 1:].flatten())

    # Small batches, many steps: for the same characters read, larger ones ended at 1.82 bits.
    schedule = warmup_cosine(100, last=0.02)
    return train(model, loss, steps, lr=4e-3, seed=seed, schedule=schedule, weight_decay=0.3, clip=1.0)


def figures(model: GPT) -> dict[str, float]:
    """Bits a character on the held-out text (`surprise`: window 128, stride 64), all of it."""
    return {"held_out_bits": surprise(model, encode(documentation().held_out), WINDOW, WINDOW // 2).mean().item()}


def written(model: GPT, start: str, count: int, temperature: float = 0.7, seed: int = 0) -> str:
    """`start` and `count` characters that the model writes after it, each from the last 128 that stand before."""
    generator = torch.Generator().manual_seed(seed)
    text = encode(start)[None]
    for _ in range(count):
        text = torch.cat([text, model.write(text[:, -WINDOW:], 1, temperature, generator)[:, -1:]], dim=1)
    return decode(text[0])


RECIPES = {"language": Recipe(make, fit, figures)}
