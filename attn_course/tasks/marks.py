"""Marks: some tokens of a row carry a mark, and their contents are asked for, all at once.

A small task that counts heads: the contents are independent numbers, so one weighted average holds those of one token.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

TOKENS, NUMBERS = 12, 8


@dataclass(frozen=True)
class MarksBatch:
    contents: Float[Tensor, "batch token number"]  # standard normal
    marks: Int[Tensor, "batch token"]  # 0: none; 1, 2, …: each once in a row, at random places
    wanted: Float[Tensor, "batch mark number"]  # the contents of token with mark 1, 2, …


def marks_batch(generator: torch.Generator, marks: int, batch: int = 64, tokens: int = TOKENS) -> MarksBatch:
    """Draw rows of `tokens` tokens that hold 8 numbers each. Guessing zeros gives a mean square error of 1."""
    if not 1 <= marks <= tokens:
        raise ValueError(f"A row has {tokens} tokens, so it can carry 1 to {tokens} marks, got {marks}.")
    contents = torch.randn(batch, tokens, NUMBERS, generator=generator)
    places = torch.rand(batch, tokens, generator=generator).argsort(dim=-1)[:, :marks]  # (batch, mark)
    numbers = torch.arange(1, marks + 1).expand(batch, marks)
    marked = torch.zeros(batch, tokens, dtype=torch.long).scatter(1, places, numbers)
    wanted = contents.gather(1, places[..., None].expand(-1, -1, NUMBERS))
    return MarksBatch(contents, marked, wanted)
