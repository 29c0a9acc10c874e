"""A masked encoder beside the language model: it restores characters that were covered, and reads on both sides.

As BERT was trained (Devlin et al. 2018, section 3.1), with two simplifications: every chosen character is covered (BERT
leaves some as they are), and the next-sentence task is left out.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor, nn

from attn_course.attention import Rotary, fused
from attn_course.models.blocks import PreNorm
from attn_course.models.encoder import Encoder
from attn_course.models.gpt import GPT
from attn_course.tasks.documentation import documentation, encode, passages
from attn_course.training.checkpoints import Recipe
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup_cosine

WINDOW, SHARE, STEPS, D_MODEL = 128, 0.15, 700, 96
Tokens = Int[Tensor, "batch token"]
Places = Bool[Tensor, "batch token"]


def covered(tokens: Tokens, where: Places) -> Tokens:
    """The tokens with one that no text holds, `len(characters)`, at these places."""
    return tokens.masked_fill(where, len(documentation().characters))


def make() -> Encoder:
    """Two layers of four heads, 96 features: two thirds of the language model's blocks."""
    characters = len(documentation().characters)
    return Encoder(
        characters + 1,
        D_MODEL,
        heads=4,
        layers=2,
        positions=Rotary(24),
        block=PreNorm,
        head=nn.Linear(D_MODEL, characters),
        mechanism=fused,
    )


def fit(model: Encoder, steps: int = STEPS, seed: int = 0) -> History:
    text = encode(documentation().train)

    def loss(model: Encoder, generator: torch.Generator) -> Tensor:
        read = passages(text, generator, batch=32, length=WINDOW)
        where = torch.rand(read.shape, generator=generator) < SHARE
        return F.cross_entropy(model(covered(read, where))[where], read[where])

    return train(model, loss, steps, lr=4e-3, seed=seed, schedule=warmup_cosine(100), weight_decay=0.1, clip=1.0)


def held_out_windows() -> Tokens:
    """The held-out text in windows of 128 characters, one after another."""
    tokens = encode(documentation().held_out)
    return tokens.unfold(0, WINDOW, WINDOW)


def places(windows: Tokens, share: float = SHARE, seed: int = 0) -> Places:
    """Which characters are asked for: each with this probability, but none of the first 16 of a window.

    Those have nothing before them for a decoder to go by.
    """
    where = torch.rand(windows.shape, generator=torch.Generator().manual_seed(seed)) < share
    where[:, :16] = False
    return where


@torch.no_grad()
def restored(encoder: Encoder, windows: Tokens, where: Places) -> float:
    """How often the encoder's first guess is right at these places, all of them covered at once."""
    return _share_right(encoder(covered(windows, where)), windows, where)


@torch.no_grad()
def foreseen(decoder: GPT, windows: Tokens, where: Places) -> float:
    """How often the decoder's first guess is right at the same places, from what stands before, none of it covered."""
    return _share_right(decoder(windows[:, :-1]), windows[:, 1:], where[:, 1:])


@torch.no_grad()
def restored_one_by_one(encoder: Encoder, windows: Tokens, at: int, right: bool = True) -> float:
    """How often the encoder is right at place `at` of each window, the only one covered.

    right   whether it sees what comes after; if not, all of that is covered too, and the encoder is asked to write
    """
    where = torch.zeros_like(windows, dtype=torch.bool)
    where[:, at : at + 1 if right else None] = True
    scores = encoder(covered(windows, where))
    return (scores[:, at].argmax(dim=-1) == windows[:, at]).float().mean().item()


def figures(model: Encoder) -> dict[str, float]:
    """First guesses that are right on the held-out text: 15 % covered; one covered; that one and all that follows."""
    windows = held_out_windows()
    return {
        "restored": restored(model, windows, places(windows)),
        "restored_one": restored_one_by_one(model, windows, WINDOW // 2),
        "restored_without_the_right": restored_one_by_one(model, windows, WINDOW // 2, right=False),
    }


def _share_right(scores: Tensor, tokens: Tokens, where: Places) -> float:
    return (scores.argmax(dim=-1) == tokens)[where].float().mean().item()


RECIPES = {"masked": Recipe(make, fit, figures)}
