"""What a transformer is made of besides attention: a feed-forward network, and blocks that add and normalise.

A block is one attention and one feed-forward network, each added to the stream of tokens (the residual). Two ways of
placing the normalisation make two classes; `Stack` lays blocks on one another.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attn_course.attention import KVCache, MultiHead, NoPositions, Visibility, attention
from attn_course.attention.making import check_shared
from attn_course.models.registers import Registers

Stream = Float[Tensor, "batch token d_model"]
Memory = Float[Tensor, "batch key d_model"]
Visible = Visibility | Bool[Tensor, "*batch query key"]


class FeedForward(nn.Module):
    """W₂·activation(W₁x): each token alone (Vaswani et al. 2017, equation 2)."""

    def __init__(self, d_model: int, d_hidden: int, bias: bool = True, activation: Callable = F.gelu):
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden, bias)
        self.w_2 = nn.Linear(d_hidden, d_model, bias)
        self.activation = activation

    def forward(self, x: Stream) -> Stream:
        return self.w_2(self.activation(self.w_1(x)))


class GatedFeedForward(nn.Module):
    """W₂(silu(W₁x) · W₃x): one half decides how much of the other passes (SwiGLU, Shazeer 2020; as in Llama)."""

    def __init__(self, d_model: int, d_hidden: int, bias: bool = False):
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_hidden, bias)
        self.w_2 = nn.Linear(d_hidden, d_model, bias)
        self.w_3 = nn.Linear(d_model, d_hidden, bias)

    def forward(self, x: Stream) -> Stream:
        return self.w_2(F.silu(self.w_1(x)) * self.w_3(x))


class PreNorm(nn.Module):
    """x + f(norm(x)): the stream itself is never normalised, so a gradient finds its way down unhindered."""

    normalises_stream = False

    def __init__(self, attention: MultiHead, cross: MultiHead | None, feed_forward: nn.Module, norm: Callable):
        super().__init__()
        self.attention, self.cross, self.feed_forward = attention, cross, feed_forward
        self.norm_attention = norm()
        self.norm_cross = None if cross is None else norm()
        self.norm_feed_forward = norm()

    def forward(
        self,
        x: Stream,
        visible: Visible | None = None,
        memory: Memory | None = None,
        memory_visible: Visible | None = None,
        cache: KVCache | None = None,
        at: Int[Tensor, "*batch token"] | None = None,
    ) -> Stream:
        check_memory(memory, crosses=self.cross is not None)
        x = x + self.attention(self.norm_attention(x), visible=visible, cache=cache, at=at)
        if self.cross is not None:
            x = x + self.cross(self.norm_cross(x), memory, memory_visible)
        return x + self.feed_forward(self.norm_feed_forward(x))


class PostNorm(PreNorm):
    """norm(x + f(x)): as in the first transformer. Every block rescales the stream, and its gradient with it."""

    normalises_stream = True

    def forward(self, x, visible=None, memory=None, memory_visible=None, cache=None, at=None):
        check_memory(memory, crosses=self.cross is not None)
        x = self.norm_attention(x + self.attention(x, visible=visible, cache=cache, at=at))
        if self.cross is not None:
            x = self.norm_cross(x + self.cross(x, memory, memory_visible))
        return self.norm_feed_forward(x + self.feed_forward(x))


class Stack(nn.Module):
    """`layers` blocks on one another, and a last normalisation if the blocks leave the stream as it is.

    d_model, heads, kv_heads, d_head, positions, mechanism, bias    as in `MultiHead`
    d_hidden        features inside the feed-forward network; 4 · d_model unless given
    cross           whether each block also looks at a memory (a decoder's second attention)
    block           PreNorm or PostNorm
    norm            makes one normalisation of d_model features: nn.LayerNorm, nn.RMSNorm
    feed_forward    makes one network from d_model, d_hidden and bias
    shared          one block run `layers` times, with the same weights each time (Lan et al. 2019)
    registers       how many learned tokens stand before the text (`models.registers`)

    An option with parameters is given as a class or a maker, so that each layer has its own (`attention.making`).
    """

    def __init__(
        self,
        d_model: int,
        heads: int,
        layers: int,
        kv_heads: int | None = None,
        d_head: int | None = None,
        d_hidden: int | None = None,
        cross: bool = False,
        positions: NoPositions | None = None,
        mechanism: Callable = attention,
        block: type[PreNorm] = PreNorm,
        norm: Callable = nn.LayerNorm,
        feed_forward: Callable = FeedForward,
        bias: bool = True,
        shared: bool = False,
        registers: int = 0,
    ):
        super().__init__()
        if layers < 1:
            raise ValueError(f"A stack has at least one layer, got layers={layers}.")
        self.d_model, self.layers = d_model, layers
        self.positions = NoPositions() if positions is None else positions
        check_shared(mechanism, (1 if shared else layers) * (2 if cross else 1))
        if registers and cross:
            raise ValueError("Registers stand before a text that looks at nothing else: leave out registers or cross.")
        self.registers = Registers(registers, d_model) if registers else None

        def one_block() -> PreNorm:
            looks = MultiHead(d_model, heads, kv_heads, d_head, mechanism, self.positions, bias)
            crosses = MultiHead(d_model, heads, kv_heads, d_head, mechanism, bias=bias) if cross else None
            network = feed_forward(d_model, 4 * d_model if d_hidden is None else d_hidden, bias)
            return block(looks, crosses, network, lambda: norm(d_model))

        self.blocks = nn.ModuleList(one_block() for _ in range(1 if shared else layers))
        self.norm = nn.Identity() if block.normalises_stream else norm(d_model)

    def forward(
        self,
        x: Stream,
        visible: Visible | None = None,
        memory: Memory | None = None,
        memory_visible: Visible | None = None,
        caches: list[KVCache] | None = None,
        at: Int[Tensor, "*batch token"] | None = None,
    ) -> Stream:
        """x through every block. `caches`: one for each layer, from `caches()`."""
        n = x.shape[1]
        if self.registers is not None:
            x, visible, at = self.registers.before(x, visible, at, caches)
        for layer in range(self.layers):
            cache = None if caches is None else caches[layer]
            block = self.blocks[layer % len(self.blocks)]
            x = block(x, visible, memory, memory_visible, cache, at)
        return self.norm(x[:, -n:])

    def caches(self, limit: int | None = None) -> list[KVCache]:
        """An empty cache for each layer."""
        limit = None if limit is None else limit + (0 if self.registers is None else len(self.registers))
        return [KVCache(limit) for _ in range(self.layers)]

    def read(self, caches: list[KVCache] | None) -> int:
        """How many tokens of the text the caches hold; registers are not of the text."""
        held = caches[0].length if caches else 0
        return held if self.registers is None else max(held - len(self.registers), 0)


def places(tokens: Int[Tensor, "batch token"], start: int = 0) -> Int[Tensor, "token"]:
    """Where these tokens stand: one after the other, the first at `start`."""
    return torch.arange(start, start + tokens.shape[1], device=tokens.device)


def check_memory(memory: Memory | None, crosses: bool) -> None:
    """Raise ValueError unless a memory is given to the blocks that look at one, and to no others."""
    if crosses and memory is None:
        raise ValueError(
            "memory is missing: these blocks look at an encoder's output as well as at the text. Pass it as memory=…, "
            "or build the decoder with cross=False."
        )
    if memory is not None and not crosses:
        raise ValueError(
            "A memory was given, but these blocks look at nothing besides the text. Build the decoder with cross=True."
        )


def check_tokens(tokens: Tensor, table: nn.Embedding) -> None:
    """Raise ValueError or TypeError with one sentence for tokens that the table cannot look up."""
    if not isinstance(tokens, Tensor) or tokens.dtype not in (torch.int64, torch.int32):
        got = str(tokens.dtype).removeprefix("torch.") if isinstance(tokens, Tensor) else type(tokens).__name__
        raise TypeError(f"Tokens are whole numbers, a tensor of dtype torch.long; got {got}.")
    if tokens.dim() != 2:
        raise ValueError(f"Tokens should have shape (batch, token), got {tuple(tokens.shape)}.")
    if tokens.numel() == 0:
        raise ValueError(f"The batch is empty (shape {tuple(tokens.shape)}): give at least one sequence of one token.")
    if tokens.device != table.weight.device:
        raise ValueError(
            f"The tokens are on {tokens.device}, the model on {table.weight.device}. "
            f"Move them: tokens.to({str(table.weight.device)!r})."
        )
    last = table.num_embeddings - 1
    bad = (tokens < 0) | (tokens > last)
    if not tokens.is_meta and bad.any():
        raise ValueError(
            f"Token {int(tokens[bad][0])} is not in the vocabulary, which goes from 0 to {last}. "
            "The text was made for another vocabulary, or padding was marked with −1."
        )
