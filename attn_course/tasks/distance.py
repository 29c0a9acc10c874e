"""Distance: a mark early in a row says "keep the next one"; so many tokens later, a question asks for it.

    3 1 MARK 5 0 6 2 5 1 ASK → 5        distance 6: ASK stands six tokens after the content

The noise before, between and after is drawn from the same tokens as the content, so that nothing but the mark tells
which one to keep, and the distance is the only thing that changes from one setting to the next.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

CONTENTS = 8  # contents and noise are 0 … 7: guessing is right once in eight, with a loss of log 8
MARK, ASK = CONTENTS, CONTENTS + 1
VOCABULARY = CONTENTS + 2
LEAD = 4  # at most so many tokens of noise stand before the mark


@dataclass(frozen=True)
class DistanceBatch:
    tokens: Int[Tensor, "batch token"]  # noise, MARK, content, noise, ASK
    answer: Int[Tensor, "batch"]  # the content: what should follow ASK


def distance_batch(generator: torch.Generator, distance: int, batch: int = 64) -> DistanceBatch:
    """Draw rows in which ASK stands `distance` tokens after the content: distance − 1 tokens of noise between them.

    How much noise stands before the mark, 0 to 4 tokens, is drawn once for the batch.
    """
    if distance < 1:
        raise ValueError(f"The question comes after the content, so distance should be at least 1, got {distance}.")
    before = int(torch.randint(LEAD + 1, (), generator=generator))
    tokens = torch.randint(CONTENTS, (batch, before + distance + 2), generator=generator)
    tokens[:, before] = MARK
    tokens[:, -1] = ASK
    return DistanceBatch(tokens, tokens[:, before + 1])
