"""The whole transformer of 2017: an encoder reads, a decoder writes and looks back at what was read."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attn_course.attention import causal, padding
from attn_course.models.blocks import PreNorm, Stream
from attn_course.models.decoder import Decoder
from attn_course.models.encoder import Encoder


class EncoderDecoder(nn.Module):
    """Source tokens and the target so far → scores for the target's next token.

    positions   an encoding of order, shared by both halves
    pad         the source token that fills up short sentences; nobody looks at it
    stack       sizes and parts of both halves, as in `Stack`
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        d_model: int,
        heads: int,
        layers: int,
        positions: nn.Module | None = None,
        block: type[PreNorm] = PreNorm,
        pad: int = 0,
        **stack,
    ):
        super().__init__()
        self.pad = pad
        self.encoder = Encoder(source_vocabulary, d_model, heads, layers, positions, block, **stack)
        self.decoder = Decoder(target_vocabulary, d_model, heads, layers, positions, block=block, **stack)

    def encode(self, source: Int[Tensor, "batch key"]) -> Stream:
        return self.encoder(source, padding(source != self.pad))

    def readable(self, source: Int[Tensor, "batch key"]) -> Bool[Tensor, "batch 1 1 key"]:
        """Which source tokens the decoder may look at: those that are not padding."""
        return (source != self.pad)[:, None, None, :]

    def forward(
        self, source: Int[Tensor, "batch key"], target: Int[Tensor, "batch token"]
    ) -> Float[Tensor, "batch token vocabulary"]:
        return self.decoder(target, self.encode(source), self.readable(source), causal)

    @torch.no_grad()
    def translate(self, source: Int[Tensor, "batch key"], bos: int, eos: int, limit: int) -> Int[Tensor, "batch token"]:
        """Write the likeliest word again and again, until every sentence has ended or has `limit` words.

        Returns the words without `bos`; after a sentence's `eos` follows `eos` only.
        """
        memory, readable = self.encode(source), self.readable(source)
        caches = self.decoder.stack.caches()
        new = torch.full((len(source), 1), bos, device=source.device)
        written = new[:, :0]
        ended = torch.zeros_like(new, dtype=torch.bool)
        for _ in range(limit):
            scores = self.decoder(new, memory, readable, caches=caches)[:, -1:]  # (batch, 1, vocabulary)
            new = scores.argmax(dim=-1).masked_fill(ended, eos)  # (batch, 1)
            written = torch.cat([written, new], dim=1)
            ended = ended | (new == eos)
            if ended.all():
                break
        return written
