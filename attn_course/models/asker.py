"""A model that asks: one query, several heads, one layer, and nothing else."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attn_course.attention import MultiHead


class Asker(nn.Module):
    """One learned query looks at all tokens and returns the contents of the marked ones.

    heads     among which the width is divided: the number of parameters is the same for any
    marks     how many marked tokens are asked for
    numbers   how many numbers a token holds
    """

    def __init__(self, heads: int, marks: int, d_model: int = 48, numbers: int = 8):
        super().__init__()
        self.content = nn.Linear(numbers, d_model, bias=False)
        self.mark = nn.Embedding(marks + 1, d_model)
        self.query = nn.Parameter(torch.randn(d_model))
        self.attention = MultiHead(d_model, heads)
        self.readout = nn.Linear(d_model, marks * numbers)
        self.marks = marks

    def forward(
        self,
        contents: Float[Tensor, "batch token number"],
        marks: Int[Tensor, "batch token"],
        visible: Bool[Tensor, "batch head 1 token"] | None = None,
    ) -> Float[Tensor, "batch mark number"]:
        x = self.content(contents) + self.mark(marks)  # (batch, token, d_model)
        asking = self.query.expand(len(x), 1, -1)  # (batch, 1, d_model)
        output = self.attention(asking, memory=x, visible=visible)
        return self.readout(output).unflatten(-1, (self.marks, -1))[:, 0]
