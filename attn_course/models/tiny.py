"""Two models that fit on a page: one attention layer and what it needs, nothing else."""

import math
from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention import attention


class Recaller(nn.Module):
    """Answers the recall task: the asked name is the query, the names are keys, the contents are values.

    `scale` multiplies the scores; None means 1/√d_k. Queries and keys start with unit variance, as the argument for
    the square root assumes.
    """

    def __init__(self, vocabulary: int = 64, d_model: int = 64, d_k: int = 128, scale: float | None = None):
        super().__init__()
        self.name = nn.Embedding(vocabulary, d_model)
        self.content = nn.Embedding(vocabulary, d_model)
        self.w_q = nn.Linear(d_model, d_k, bias=False)
        self.w_k = nn.Linear(d_model, d_k, bias=False)
        self.readout = nn.Linear(d_model, vocabulary)
        self.scale = 1 / math.sqrt(d_k) if scale is None else scale
        for layer in (self.w_q, self.w_k):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(d_model))

    def scores(self, names: Int[Tensor, "batch pair"], asked: Int[Tensor, "batch"]) -> Float[Tensor, "batch 1 pair"]:
        q = self.w_q(self.name(asked))[:, None, :]  # (batch, 1, d_k)
        k = self.w_k(self.name(names))  # (batch, pair, d_k)
        return q @ k.transpose(-2, -1) * self.scale

    def answer(self, scores: Tensor, contents: Int[Tensor, "batch pair"]) -> Float[Tensor, "batch vocabulary"]:
        output = scores.softmax(dim=-1) @ self.content(contents)  # (batch, 1, d_model)
        return self.readout(output[:, 0])

    def forward(self, names: Tensor, contents: Tensor, asked: Tensor) -> Float[Tensor, "batch vocabulary"]:
        return self.answer(self.scores(names, asked), contents)


class NextToken(nn.Module):
    """Predicts the next token with one attention layer: `mechanism(q, k, v)` decides who sees whom."""

    def __init__(
        self, vocabulary: int, length: int, mechanism: Callable = attention, d_model: int = 48, heads: int = 2
    ):
        super().__init__()
        self.token = nn.Embedding(vocabulary, d_model)
        self.position = nn.Embedding(length, d_model)
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.joined = nn.Linear(d_model, d_model)
        self.readout = nn.Linear(d_model, vocabulary)
        self.mechanism = mechanism
        self.heads = heads

    def forward(self, tokens: Int[Tensor, "batch token"]) -> Float[Tensor, "batch token vocabulary"]:
        n = tokens.shape[1]
        x = self.token(tokens) + self.position.weight[:n]  # (batch, token, d_model)
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (batch, head, token, d)
        mixed = self.mechanism(q, k, v).transpose(1, 2).flatten(2)  # (batch, token, d_model)
        return self.readout(x + self.joined(mixed))
