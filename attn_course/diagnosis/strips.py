"""Strips of an attention map: a few query rows of a few heads at a time, and never the whole.

Two things are left out of a strip before it is computed: keys that none of its queries may see (for causal attention
half of the map, for a window nearly all of it), and the mask where all of its queries see all keys.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attn_course.attention import Visibility
from attn_course.attention.formula import ScoreChange, positions

# Scores in a strip: 8 MB in float32. More leave the cache of a processor, fewer wait for Python; a GPU wants more.
CELLS = {"cpu": 2**21, "cuda": 2**26}
ROWS = 128  # more rows in a strip gain nothing, and cost a causal strip its triangle


@dataclass(frozen=True)
class Strip:
    """The scores of some query rows of some heads of one sequence, −∞ where a query may not look."""

    batch: int
    heads: slice
    rows: Tensor | slice  # which queries
    keys: slice  # the keys that any of them may see
    i: Int[Tensor, "row 1"]  # where the queries and the keys stand
    j: Int[Tensor, "1 key"]
    scores: Float[Tensor, "head row key"]
    visible: Bool[Tensor, "head row key"] | None  # head: 1 if all heads alike; None: everything
    visible_keys: Int[Tensor, "head row"]  # how many keys a row may see (head: as above)
    key_seen: Bool[Tensor, "head key"]  # may any of the rows see it? (head: as above)
    masked: slice | None  # among its keys, from the first to the last that some row may not see
    sinks: Float[Tensor, "head"] | None  # the learned sinks of these heads

    @cached_property
    def greatest(self) -> Float[Tensor, "head row"]:
        """The greatest score of each row. Ask before `exponentials` uses the scores up."""
        return self.scores.amax(-1)

    def weights(self) -> tuple[Float[Tensor, "head row key"], Float[Tensor, "head row 1"]]:
        """Softmax of the scores, and the share of the learned sink. A row that sees nothing gives zeros.

        The strip's scores are used up.
        """
        m, _, p = self.exponentials()
        null = torch.zeros_like(m) if self.sinks is None else (self.sinks[:, None, None] - m).exp()
        total = p.sum(-1, keepdim=True) + null
        sees = (self.visible_keys > 0)[..., None]
        share = sees / total.masked_fill(~sees, 1)
        return p * share, null * share

    def exponentials(self) -> tuple[Tensor, Tensor, Tensor]:
        """m, the greatest score of each row (head, row, 1); z = s − m and p = e^z (head, row, key).

        z takes the place of the scores. Where a query may not look p = 0, and z is finite, so that p z = 0 as well.
        """
        m = self.greatest[..., None]
        if self.sinks is not None:
            m = torch.maximum(m, self.sinks[:, None, None])
        m = m.masked_fill(m.isneginf(), 0)
        z = self.scores.sub_(m)
        if self.masked is not None:
            z[..., self.masked].clamp_(min=torch.finfo(z.dtype).min)
        return m, z, z.exp()


class Scores:
    """The scores of a whole layer, to be had in strips. Arguments as in `streaming_vitals`."""

    def __init__(
        self,
        q: Float[Tensor, "batch head query d_k"],
        k: Float[Tensor, "batch kv_head key d_k"],
        visible: Visibility | Tensor | None = None,
        scale: float | None = None,
        score: ScoreChange | None = None,
        bias: Tensor | None = None,
        sinks: Float[Tensor, "head"] | None = None,
    ):
        self.q, self.k, self.score = q, k, score
        self.scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
        self.batch, self.heads, self.n_query = q.shape[:3]
        self.kv_heads, self.n_key = k.shape[1:3]
        self.dtype = torch.promote_types(q.dtype, torch.float32)
        self.visible = visible if visible is None or isinstance(visible, Visibility) else _four_axes(visible)
        self.bias = None if bias is None else _four_axes(bias)
        self.sinks = None if sinks is None else sinks.to(self.dtype)
        self.i, self.j = positions(self.n_query, self.n_key, q.device)  # (query, 1), (1, key)
        self.cells = CELLS.get(q.device.type, CELLS["cpu"])

    @property
    def group(self) -> int:
        """Query heads that share a key head."""
        return self.heads // self.kv_heads

    def strips(self, at: Int[Tensor, "row"] | None = None, all_heads: bool = False) -> Iterator[Strip]:
        """All rows strip by strip, or those `at` these queries; `all_heads`: never a part of the heads.

        Rows that see nothing may be left out.
        """
        whole = all_heads or self.score is not None  # a change of scores may differ by head, and wants them all
        rows = self._rows(self.heads if whole else self.group)
        for b in range(self.batch):
            wide = self.k[b].to(self.dtype).contiguous().transpose(-2, -1)  # (kv_head, d_k, key)
            for first in range(0, self.n_query if at is None else len(at), rows):
                chosen = slice(first, first + rows) if at is None else at[first : first + rows]
                yield from self._of_rows(b, wide, chosen, whole)

    def _rows(self, heads: int) -> int:
        return max(1, min(ROWS, self.n_query, self.cells // (heads * self.n_key)))

    def _of_rows(self, b: int, wide: Tensor, chosen: Tensor | slice, whole: bool) -> Iterator[Strip]:
        i = self.i[chosen]
        visible = self._visible(b, chosen, i)
        n, seen, keys, masked = _summary(visible, len(i), self.n_key, self.q.device)
        if keys.start == keys.stop:
            return  # these rows see nothing
        visible = None if visible is None else visible[..., keys]
        j = self.j[:, keys]
        fit = max(1, self.cells // (self.group * len(i) * j.shape[1]))
        step = self.kv_heads if whole else min(self.kv_heads, fit)
        for first in range(0, self.kv_heads, step):
            kv = slice(first, min(first + step, self.kv_heads))
            heads = slice(kv.start * self.group, kv.stop * self.group)
            own = heads if len(n) > 1 else slice(None)  # all heads alike, or each its own
            strip = {"visible": None if visible is None else visible[own], "masked": masked}
            strip |= {"visible_keys": n[own], "key_seen": seen[own]}
            q = self.q[b, heads, chosen].to(self.dtype) * self.scale  # (head, row, d_k)
            shared = q.reshape(kv.stop - kv.start, -1, q.shape[-1])  # heads of a group, one below the other
            with torch.autocast(q.device.type, enabled=False):
                scores = (shared @ wide[kv, :, keys]).view(q.shape[0], len(i), -1)  # (head, row, key)
            if masked is not None:
                scores[..., masked].masked_fill_(~strip["visible"][..., masked], -math.inf)
            if self.score is not None or self.bias is not None:
                scores = self._changed(scores, b, heads, chosen, keys, i, j)
                strip |= _hidden_by_change(scores)
            sinks = None if self.sinks is None else self.sinks[heads]
            yield Strip(b, heads, chosen, keys, i, j, scores, **strip, sinks=sinks)

    def _changed(self, scores: Tensor, b: int, heads: slice, chosen, keys: slice, i: Tensor, j: Tensor) -> Tensor:
        """After `score` and `bias`. What a query may not look at stays −∞ whatever they do to it."""
        hidden = scores.isneginf()
        if self.score is not None:
            # A copy, for a strip is written into, and the caller may have kept what it gave.
            changed = self.score(scores[None], i, j).to(self.dtype)
            scores = changed[min(b, changed.shape[0] - 1)].expand(scores.shape).clone()
        if self.bias is not None:
            scores = scores + _piece(self.bias, b, heads, chosen, keys).to(self.dtype)
        return scores.masked_fill_(hidden, -math.inf)

    def _visible(self, b: int, chosen: Tensor | slice, i: Tensor) -> Bool[Tensor, "head row key"] | None:
        if self.visible is None:
            return None
        if isinstance(self.visible, Visibility):
            visible = _four_axes(self.visible(i, self.j))
            return visible[min(b, visible.shape[0] - 1)].expand(-1, len(i), self.n_key)
        visible = _piece(self.visible, b, slice(None), chosen, slice(None))
        return visible.expand(-1, len(i), self.n_key)


def _four_axes(x: Tensor) -> Tensor:
    """Leading axes of length 1 until there are (batch, head, query, key)."""
    return x.reshape((1,) * (4 - x.dim()) + x.shape)


def _piece(x: Tensor, b: int, heads: slice, chosen: Tensor | slice, keys: slice) -> Tensor:
    """The part of a (batch, head, query, key) tensor that belongs to a strip; axes of length 1 stay."""
    x = x[min(b, x.shape[0] - 1)]
    x = x if x.shape[0] == 1 else x[heads]
    x = x if x.shape[1] == 1 else x[:, chosen]
    return x if x.shape[2] == 1 else x[..., keys]


def _summary(visible: Tensor | None, n_row: int, n_key: int, device):
    """Once for all heads: the keys each row may see (head, row), the keys that are seen (head, key), the span that any
    row sees, and, within it, the span that some row may not see (None: there is none)."""
    if visible is None:
        n = torch.full((1, n_row), n_key, device=device)
        return n, torch.ones(1, n_key, dtype=torch.bool, device=device), slice(0, n_key), None
    marks = visible.contiguous().view(torch.uint8)  # bytes are counted several times faster than booleans
    n, by_key = marks.sum(-1, dtype=torch.int32), marks.sum(-2, dtype=torch.int32)
    keys = _span(by_key.any(0))
    hidden = _span((by_key[:, keys] < n_row).any(0))
    return n, by_key[:, keys] > 0, keys, None if hidden.start == hidden.stop else hidden


def _hidden_by_change(scores: Tensor) -> dict:
    """The fields of a strip that a bias or a change of −∞ ("may not look") has a say in."""
    visible = ~scores.isneginf()
    masked = _span(~visible.flatten(0, 1).all(0))
    seen = {"visible": visible, "visible_keys": visible.sum(-1), "key_seen": visible.any(-2)}
    return seen | {"masked": masked if masked.stop else None}


def _span(marked: Bool[Tensor, "key"]) -> slice:
    found = marked.nonzero()
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)
