"""The decoder: each token sees itself and those before it, and may look at a memory beside."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention import KVCache, NoPositions, Visibility, causal
from attn_course.models.blocks import Memory, Stack, Stream, check_tokens, places


class Decoder(nn.Module):
    """Tokens → scores for the next one. With `cross`, every block also looks at a memory: the encoder's output.

    stack   sizes and parts, as in `Stack`
    """

    def __init__(
        self,
        vocabulary: int,
        d_model: int,
        heads: int,
        layers: int,
        positions: NoPositions | None = None,
        cross: bool = True,
        **stack,
    ):
        super().__init__()
        self.token = nn.Embedding(vocabulary, d_model)
        self.stack = Stack(d_model, heads, layers, positions=positions, cross=cross, **stack)
        self.head = nn.Linear(d_model, vocabulary, bias=False)

    def embed(
        self,
        tokens: Int[Tensor, "batch token"],
        at: Int[Tensor, "*batch token"] | None = None,
        caches: list[KVCache] | None = None,
    ) -> Stream:
        """The tokens' vectors, with their positions if the encoding adds them here."""
        check_tokens(tokens, self.token)
        return self.stack.positions.add(
            self.token(tokens), places(tokens, self.stack.read(caches)) if at is None else at
        )

    def run(
        self,
        x: Stream,
        memory: Memory | None = None,
        memory_visible: Visibility | Tensor | None = None,
        visible: Visibility | Tensor = causal,
        caches: list[KVCache] | None = None,
        at: Int[Tensor, "*batch token"] | None = None,
    ) -> Stream:
        """Vectors through all the layers."""
        return self.stack(x, visible, memory, memory_visible, caches, at)

    def forward(
        self,
        tokens: Int[Tensor, "batch token"],
        memory: Memory | None = None,
        memory_visible: Visibility | Tensor | None = None,
        visible: Visibility | Tensor = causal,
        caches: list[KVCache] | None = None,
        at: Int[Tensor, "*batch token"] | None = None,
    ) -> Float[Tensor, "batch token vocabulary"]:
        """Arguments as in `run`. With `caches` (from `stack.caches()`), the tokens follow those that were read."""
        x = self.embed(tokens, at, caches)
        return self.head(self.run(x, memory, memory_visible, visible, caches, at))
