"""GPT: a decoder with nothing to look at but its own text. It writes by predicting the next token, again and again."""

import torch
from jaxtyping import Int
from torch import Tensor

from attn_course.attention import NoPositions
from attn_course.models.decoder import Decoder


class GPT(Decoder):
    """Tokens → scores for the next one. `stack`: sizes and parts, as in `Stack`."""

    def __init__(
        self,
        vocabulary: int,
        d_model: int,
        heads: int,
        layers: int,
        positions: NoPositions | None = None,
        **stack,
    ):
        super().__init__(vocabulary, d_model, heads, layers, positions, cross=False, **stack)

    @torch.no_grad()
    def write(
        self,
        tokens: Int[Tensor, "batch token"],
        count: int,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Int[Tensor, "batch written"]:
        """Go on from `tokens` for `count` tokens, reading each new one only once (`KVCache`).

        temperature 0 takes the likeliest token; 1 draws as the model predicts. Returns the text with what was written.
        """
        caches = self.stack.caches()
        text, new = tokens, tokens
        for _ in range(count):
            scores = self(new, caches=caches)[:, -1]  # (batch, vocabulary)
            new = choose(scores, temperature, generator)  # (batch, 1)
            text = torch.cat([text, new], dim=1)
        return text


def choose(scores: Tensor, temperature: float, generator: torch.Generator | None) -> Int[Tensor, "batch 1"]:
    """The next token from the scores of the last: the likeliest at temperature 0, drawn as predicted at 1."""
    if temperature < 0:
        raise ValueError(f"temperature should be 0 or more, got {temperature}.")
    if temperature == 0:
        return scores.argmax(dim=-1, keepdim=True)
    return torch.multinomial((scores / temperature).softmax(dim=-1), 1, generator=generator)
