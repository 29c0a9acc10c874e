"""Many heads: the formula, several times side by side, each in a subspace of its own.

Source: Vaswani et al. 2017, section 3.2.2. Fewer heads for keys and values: Shazeer 2019 (one, multi-query), Ainslie et
al. 2023 (some, grouped queries).
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from attn_course.attention.cache import KVCache
from attn_course.attention.formula import attention
from attn_course.attention.making import made
from attn_course.attention.positions import NoPositions
from attn_course.attention.visibility import Visibility


class MultiHead(nn.Module):
    """Project to queries, keys and values, split them among heads, attend in each, join, project back.

    d_model     features of a token
    heads       how many heads look
    kv_heads    how many heads are looked at: as many (multi-head), fewer (grouped queries), 1 (multi-query)
    d_head      features of a head; d_model / heads unless given
    mechanism   what attends: `mechanism(q, k, v, visible)` → (batch, head, query, d_head), or what
                makes one: a class, a maker (`attention.making`)
    positions   an encoding from `attention.positions` that turns queries and keys, or changes scores
    bias        whether the four projections add a bias

    Raises ValueError with one sentence if d_model cannot be split among the heads, or kv_heads do not divide heads.
    """

    def __init__(
        self,
        d_model: int,
        heads: int,
        kv_heads: int | None = None,
        d_head: int | None = None,
        mechanism: Callable = attention,
        positions: NoPositions | None = None,
        bias: bool = True,
    ):
        super().__init__()
        self.heads = heads
        self.kv_heads = heads if kv_heads is None else kv_heads
        _check_heads(d_model, heads, self.kv_heads, d_head)
        self.d_head = d_model // heads if d_head is None else d_head
        self.w_q = nn.Linear(d_model, heads * self.d_head, bias)
        self.w_k = nn.Linear(d_model, self.kv_heads * self.d_head, bias)
        self.w_v = nn.Linear(d_model, self.kv_heads * self.d_head, bias)
        self.w_o = nn.Linear(heads * self.d_head, d_model, bias)
        self.mechanism = made(mechanism, heads, self.d_head)
        self.positions = NoPositions() if positions is None else positions

    def extra_repr(self) -> str:
        return f"heads={self.heads}, kv_heads={self.kv_heads}, d_head={self.d_head}"

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        memory: Float[Tensor, "batch key d_model"] | None = None,
        visible: Visibility | Bool[Tensor, "*batch query key"] | None = None,
        cache: KVCache | None = None,
        at: Int[Tensor, "*batch query"] | None = None,
    ) -> Float[Tensor, "batch query d_model"]:
        """Every token of x looks at x, or at `memory` if that is given (cross-attention).

        visible   who may look at whom, as in `attention`
        cache     keys and values of the tokens before x: x is looked at after them, and added to them
        at        where the tokens of x stand; unless given, they follow those in the cache
        """
        _check_tokens("x", x, self.w_q.weight, self.w_q.in_features)
        if memory is not None:
            _check_tokens("memory", memory, self.w_k.weight, self.w_k.in_features)
            _check_memory(x, memory, cache)
        source = x if memory is None else memory
        q = split(self.w_q(x), self.heads)  # (batch, head, query, d_head)
        k = split(self.w_k(source), self.kv_heads)  # (batch, kv_head, key, d_head)
        v = split(self.w_v(source), self.kv_heads)
        if memory is None:  # positions of two different texts cannot be compared
            at = self._at(x, cache) if at is None else at
            q, k = self.positions.rotate(q, at), self.positions.rotate(k, at)
        if cache is not None:
            k, v = cache.extend(k, v)
        k, v = self._for_every_head(k), self._for_every_head(v)  # (batch, head, key, d_head)
        score = self.positions.score if memory is None else None
        change = {} if score is None else {"score": score}
        output = self.mechanism(q, k, v, visible, **change)  # (batch, head, query, d_head)
        return self.w_o(join(output))

    def _for_every_head(self, x: Float[Tensor, "batch kv_head key d"]) -> Float[Tensor, "batch head key d"]:
        """Heads 0 … g−1 look at the first, the next g at the second, and so on."""
        group = self.heads // self.kv_heads
        return x if group == 1 else x.repeat_interleave(group, dim=1)

    @staticmethod
    def _at(x: Tensor, cache: KVCache | None) -> Int[Tensor, "query"]:
        start = 0 if cache is None else cache.length
        return torch.arange(start, start + x.shape[1], device=x.device)


def split(x: Float[Tensor, "batch token features"], heads: int) -> Float[Tensor, "batch head token d_head"]:
    """Give each head its own consecutive features."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join(x: Float[Tensor, "batch head token d_head"]) -> Float[Tensor, "batch token features"]:
    """Lay the heads side by side again: the inverse of `split`."""
    return x.transpose(1, 2).flatten(2)


def _check_heads(d_model: int, heads: int, kv_heads: int, d_head: int | None) -> None:
    if heads < 1 or kv_heads < 1:
        raise ValueError(f"There should be at least one head, got heads={heads} and kv_heads={kv_heads}.")
    if d_head is None and d_model % heads:
        near = [h for h in range(1, d_model + 1) if d_model % h == 0]
        best = min(near, key=lambda h: abs(h - heads))
        raise ValueError(
            f"d_model={d_model} cannot be split evenly among {heads} heads. Take {best} heads, or say how many "
            "features each head has: d_head=…"
        )
    if heads % kv_heads:
        divisors = ", ".join(str(h) for h in range(1, heads + 1) if heads % h == 0)
        raise ValueError(
            f"kv_heads={kv_heads} does not divide heads={heads}, so queries cannot share keys in equal groups. "
            f"Take one of {divisors}."
        )


def _check_tokens(name: str, x: Tensor, weight: Tensor, d_model: int) -> None:
    if not isinstance(x, Tensor) or x.dim() != 3 or x.shape[-1] != d_model:
        got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name} should have shape (batch, token, {d_model}), got {got}.")
    if 0 in x.shape:
        raise ValueError(f"{name} is empty (shape {tuple(x.shape)}): give at least one sequence of one token.")
    if x.device != weight.device:
        raise ValueError(
            f"{name} is on {x.device}, the layer on {weight.device}. Move one: {name}.to({weight.device})."
        )
    if x.dtype != weight.dtype:
        raise TypeError(
            f"{name} is {x.dtype}, the layer's weights are {weight.dtype}. Convert one to the other's dtype."
        )


def _check_memory(x: Tensor, memory: Tensor, cache: KVCache | None) -> None:
    if x.shape[0] != memory.shape[0]:
        raise ValueError(
            f"x has {x.shape[0]} sequences, memory {memory.shape[0]}: every text needs the one that it looks at."
        )
    if cache is not None:
        raise ValueError(
            "A cache keeps the text's own keys; those of a memory would be added anew at each step. Give a memory or "
            "a cache, not both."
        )
