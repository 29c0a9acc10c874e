"""Two inductive biases, each an encoding that tells attention one thing about the language that it reads.

PlaceAndDepth    brackets: how deep a token is nested, beside where it stands
Cyclic           what comes round again: the position modulo a period
"""

import torch
from torch import nn

from attn_course.attention.positions import ALiBi, NoPositions, Rotary


class PlaceAndDepth(ALiBi):
    """Scores fall with distance in the text (ALiBi), and compare depths of nesting (rotary).

    The model is called with depths as `at`: model(tokens, at=depths). So "the last token at my depth" takes one head.
    Two tokens' scores depend on the difference of their depths, not on how deep both are.

    base   the slowest of the rotations, as in `Rotary`; small, because depths are small numbers
    """

    def __init__(self, heads: int, d_head: int, base: float = 100.0):
        super().__init__(heads)
        self.depth = Rotary(d_head, base)

    def rotate(self, x, at):
        return self.depth.rotate(x, at)


class Cyclic(NoPositions):
    """One learned vector for each position modulo `period`, added below the first layer."""

    def __init__(self, period: int, d_model: int):
        super().__init__()
        if period < 1:
            raise ValueError(f"A period is at least 1 token long, got {period}.")
        self.period = period
        self.table = nn.Embedding(period, d_model)
        nn.init.normal_(self.table.weight, std=0.5)

    def add(self, x, at):
        if x.shape[-1] != self.table.embedding_dim:
            raise ValueError(f"Cyclic was made for {self.table.embedding_dim} features and met {x.shape[-1]}.")
        return x + self.table(torch.remainder(at, self.period))
