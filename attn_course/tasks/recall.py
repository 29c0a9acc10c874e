"""Recall: several pairs of a name and a content, then a name; what was its content?

A small task made for attention: the right answer stands at a place that changes with every example.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class RecallBatch:
    names: Int[Tensor, "batch pair"]
    contents: Int[Tensor, "batch pair"]
    asked: Int[Tensor, "batch"]  # one of the names
    answer: Int[Tensor, "batch"]  # its content


def recall_batch(generator: torch.Generator, batch: int = 64, pairs: int = 16, vocabulary: int = 64) -> RecallBatch:
    """Draw a batch: names without repetition, contents at random. Guessing gives a loss of log(vocabulary)."""
    if pairs > vocabulary:
        raise ValueError(f"{pairs} different names cannot be drawn from {vocabulary}.")
    names = torch.rand(batch, vocabulary, generator=generator).argsort(dim=-1)[:, :pairs]
    contents = torch.randint(vocabulary, (batch, pairs), generator=generator)
    place = torch.randint(pairs, (batch, 1), generator=generator)
    return RecallBatch(names, contents, names.gather(1, place)[:, 0], contents.gather(1, place)[:, 0])
