"""The last time: when this symbol stood here before, what came after it?

A small task that needs order twice over: which occurrence was the *last*, and what stood *next* to it. What the text
holds without its order says nothing, and how far back one has to look does not depend on how long the text is.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

SYMBOLS = 16
NOTHING = -100  # no earlier occurrence, so nothing is asked; what torch's cross_entropy leaves out


@dataclass(frozen=True)
class LastTimeBatch:
    tokens: Int[Tensor, "batch token"]  # random symbols, each as likely as any other
    wanted: Int[Tensor, "batch token"]  # what followed the last earlier occurrence of the token; NOTHING if none


def last_time_batch(
    generator: torch.Generator, batch: int = 32, length: int = 48, symbols: int = SYMBOLS
) -> LastTimeBatch:
    """Draw texts and their answers. The text is random, so the answers are all there is to know."""
    if length < 2 or symbols < 2:
        raise ValueError(f"A text needs two tokens and two symbols at least, got {length} and {symbols}.")
    tokens = torch.randint(symbols, (batch, length), generator=generator)
    return LastTimeBatch(tokens, what_followed(tokens))


def what_followed(tokens: Int[Tensor, "batch token"]) -> Int[Tensor, "batch token"]:
    """For each token, the one after the last earlier place with the same symbol; NOTHING where there is none."""
    place = torch.arange(tokens.shape[1])
    last = torch.where(_earlier_same(tokens), place, -1).amax(dim=-1)  # (batch, token)
    following = tokens.gather(1, (last + 1).clamp(max=tokens.shape[1] - 1))
    return torch.where(last >= 0, following, NOTHING)


def any_time_accuracy(tokens: Int[Tensor, "batch token"]) -> float:
    """How often one is right at the end of these texts with *some* earlier occurrence, drawn at random, for the last.

    The rival that matches symbols and knows what stood next to which, but not which of them came last.
    """
    same = _earlier_same(tokens)[:, -1, :-1]  # (batch, place)
    asked = same.any(dim=-1)
    right = same & (tokens[:, 1:] == what_followed(tokens)[:, -1:])
    return (right.sum(-1)[asked] / same.sum(-1)[asked]).mean().item()


def _earlier_same(tokens: Int[Tensor, "batch token"]) -> Tensor:
    """(batch, token, place): does the same symbol stand at this place, before the token?"""
    return (tokens[:, :, None] == tokens[:, None, :]).tril(-1)
