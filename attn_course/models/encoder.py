"""The encoder: every token may look at every other. What BERT is, and the reading half of a translator."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention import NoPositions, Visibility
from attn_course.models.blocks import PostNorm, Stack, Stream, check_tokens, places


class Encoder(nn.Module):
    """Tokens → one vector for each, or whatever `head` makes of the vectors.

    norm_first   normalises the embeddings, as BERT does
    stack        sizes and parts, as in `Stack`
    """

    def __init__(
        self,
        vocabulary: int,
        d_model: int,
        heads: int,
        layers: int,
        positions: NoPositions | None = None,
        block: type = PostNorm,
        norm: Callable = nn.LayerNorm,
        norm_first: bool = False,
        head: nn.Module | None = None,
        **stack,
    ):
        super().__init__()
        self.token = nn.Embedding(vocabulary, d_model)
        self.norm_first = norm(d_model) if norm_first else nn.Identity()
        self.stack = Stack(d_model, heads, layers, positions=positions, block=block, norm=norm, **stack)
        self.head = nn.Identity() if head is None else head

    def embed(self, tokens: Int[Tensor, "batch token"], at: Int[Tensor, "*batch token"] | None = None) -> Stream:
        """The tokens' vectors, with their positions if the encoding adds them here."""
        check_tokens(tokens, self.token)
        at = places(tokens) if at is None else at
        return self.norm_first(self.stack.positions.add(self.token(tokens), at))

    def run(self, x: Stream, visible: Visibility | Tensor | None = None, at: Tensor | None = None) -> Stream:
        """Vectors through all the layers."""
        return self.stack(x, visible, at=at)

    def forward(
        self,
        tokens: Int[Tensor, "batch token"],
        visible: Visibility | Tensor | None = None,
        at: Int[Tensor, "*batch token"] | None = None,
    ) -> Float[Tensor, "batch token features"]:
        """visible: `padding(keep)` for sequences of different lengths."""
        return self.head(self.run(self.embed(tokens, at), visible, at))


class MaskedHead(nn.Module):
    """Which token was masked: BERT's readout (a layer, a normalisation, a score for each word)."""

    def __init__(self, d_model: int, vocabulary: int, activation: Callable, norm: Callable = nn.LayerNorm):
        super().__init__()
        self.w = nn.Linear(d_model, d_model)
        self.activation = activation
        self.norm = norm(d_model)
        self.readout = nn.Linear(d_model, vocabulary)

    def forward(self, x: Stream) -> Float[Tensor, "batch token vocabulary"]:
        return self.readout(self.norm(self.activation(self.w(x))))
