"""Who may look at whom: a mask as a predicate over (query position, key position).

`True` means may look, as in torch's `scaled_dot_product_attention`. Predicates compose with `&`, `|` and `~`:

    causal & document(ids) & (window(256) | sinks(4))

From the one definition come the dense matrix (`.dense`) and the layout in blocks (`.blocks`).
Queries end with the keys: with 2 queries and 5 keys, the queries stand at positions 3 and 4, as in decoding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int, Int8
from torch import Tensor


class Visibility:
    """A rule (i, j) → may query i look at key j? Make one with the names below, or with `visible_where`."""

    def __init__(self, rule: Callable[[Tensor, Tensor], Tensor], name: str, length: int | None = None):
        self.rule = rule
        self.name = name
        self.length = length  # how many tokens the rule knows (padding, documents); None: any number

    def __call__(self, i: Int[Tensor, "query 1"], j: Int[Tensor, "1 key"]) -> Bool[Tensor, "... query key"]:
        return self.rule(i, j)

    def __and__(self, other: "Visibility") -> "Visibility":
        return self._joined(other, lambda i, j: self.rule(i, j) & other.rule(i, j), "&")

    def __or__(self, other: "Visibility") -> "Visibility":
        return self._joined(other, lambda i, j: self.rule(i, j) | other.rule(i, j), "|")

    def __invert__(self) -> "Visibility":
        return Visibility(lambda i, j: ~self.rule(i, j), f"~{_grouped(self.name)}", self.length)

    def __repr__(self) -> str:
        return self.name

    def dense(self, n_query: int, n_key: int | None = None, device=None) -> Bool[Tensor, "... query key"]:
        """The matrix of True and False: (query, key), or (batch, 1, query, key) if the rule differs by sequence."""
        n_key = n_query if n_key is None else n_key
        self._check_lengths(n_query, n_key)
        j = torch.arange(n_key, device=device)[None, :]  # (1, key)
        i = torch.arange(n_key - n_query, n_key, device=device)[:, None]  # (query, 1)
        visible = self.rule(i, j)
        if not isinstance(visible, Tensor) or visible.dtype != torch.bool:
            got = visible.dtype if isinstance(visible, Tensor) else type(visible).__name__
            raise TypeError(f"The rule {self.name} should give a tensor of True and False, got {got}.")
        return visible.expand(*visible.shape[:-2], n_query, n_key)

    def blocks(self, n_query: int, n_key: int | None = None, block: int = 64) -> "Blocks":
        """Which blocks of the matrix hold nothing, something, everything: what a sparse kernel skips or runs."""
        n_key = n_query if n_key is None else n_key
        if block < 1:
            raise ValueError(f"block should be at least 1, got {block}.")
        visible = self.dense(n_query, n_key)
        seen = _tile_sums(visible, block)
        whole = _tile_sums(torch.ones(n_query, n_key, dtype=torch.bool), block)
        kind = (seen > 0).to(torch.int8) + (seen == whole).to(torch.int8)
        return Blocks(kind, block, n_query, n_key, self.name)

    def _joined(self, other: "Visibility", rule: Callable, sign: str) -> "Visibility":
        if not isinstance(other, Visibility):
            raise TypeError(
                f"{self.name} {sign} … needs another visibility on the right, got {type(other).__name__}. "
                "Did you forget the argument, as in window(4)?"
            )
        if self.length is not None and other.length is not None and self.length != other.length:
            raise ValueError(f"{self.name} knows {self.length} tokens, {other.name} {other.length}: they must agree.")
        length = self.length if other.length is None else other.length
        return Visibility(rule, f"{_grouped(self.name, sign)} {sign} {_grouped(other.name, sign)}", length)

    def _check_lengths(self, n_query: int, n_key: int) -> None:
        if n_query < 1 or n_key < 1:
            raise ValueError(f"A visibility needs at least one query and one key, got {n_query} and {n_key}.")
        if n_query > n_key:
            raise ValueError(
                f"{n_query} queries cannot be the last of {n_key} keys. With more queries than keys (cross-attention), "
                "positions do not line up: pass a matrix of True and False instead."
            )
        if self.length is not None and n_key != self.length:
            raise ValueError(f"{self.name} knows {self.length} tokens, but there are {n_key} keys.")


@dataclass(frozen=True)
class Blocks:
    """The layout in blocks. `kind`: 0 hidden (never computed), 1 partial (masked inside), 2 full (no mask needed)."""

    kind: Int8[Tensor, "... query_block key_block"]
    block: int
    n_query: int
    n_key: int
    name: str

    @property
    def computed(self) -> float:
        """Share of the blocks that a kernel has to run at all."""
        return (self.kind > 0).float().mean().item()


def visible_where(rule: Callable[[Tensor, Tensor], Tensor], name: str = "visible_where(…)") -> Visibility:
    """A visibility of your own: `visible_where(lambda i, j: (i - j) % 3 == 0, "every third")`."""
    return Visibility(rule, name)


everything = Visibility(lambda i, j: (i >= 0) & (j >= 0), "everything")
causal = Visibility(lambda i, j: j <= i, "causal")


def window(w: int) -> Visibility:
    """|i − j| < w: the token itself and w−1 to either side, so `causal & window(w)` looks back w−1."""
    _check_count("window", w, least=1)
    return Visibility(lambda i, j: (i - j).abs() < w, f"window({w})")


def sinks(n: int) -> Visibility:
    """The first n keys, wherever the query stands."""
    _check_count("sinks", n, least=0)
    return Visibility(lambda i, j: (i >= 0) & (j < n), f"sinks({n})")


def padding(keep: Bool[Tensor, "*batch key"]) -> Visibility:
    """Only the keys that are kept. `keep` is True for real tokens: (key,), or (batch, key) for a batch."""
    _check_tokens("padding", "keep", keep)
    if keep.dtype != torch.bool:
        raise TypeError(
            f"padding(keep) wants True for real tokens and False for filler, got {keep.dtype}: keep.bool()."
        )
    return Visibility(lambda i, j: (i >= 0) & _per_token(keep, j), "padding(keep)", keep.shape[-1])


def document(ids: Int[Tensor, "*batch key"]) -> Visibility:
    """Only keys of the query's own document. `ids` numbers the documents: (key,), or (batch, key) for a batch."""
    _check_tokens("document", "ids", ids)
    return Visibility(lambda i, j: _per_token(ids, i) == _per_token(ids, j), "document(ids)", ids.shape[-1])


def _per_token(values: Tensor, at: Tensor) -> Tensor:
    """values at these positions, (query, key); with a batch, (batch, 1, query, key), so that heads can share it."""
    picked = values.to(at.device)[..., at]
    return picked.unsqueeze(1) if values.dim() == 2 else picked


def _tile_sums(visible: Tensor, block: int) -> Tensor:
    """How many cells are True in each block × block tile; the last tiles may be cut short."""
    n_query, n_key = visible.shape[-2:]
    cells = F.pad(visible.long(), (0, -n_key % block, 0, -n_query % block))
    tiles = cells.unflatten(-1, (-1, block)).unflatten(-3, (-1, block))  # (…, query block, row, key block, column)
    return tiles.sum(dim=(-3, -1))


def _grouped(name: str, sign: str = "~") -> str:
    """Brackets around a name that is joined by any other sign than this one."""
    others = {"&", "|"} - {sign}
    return f"({name})" if others & _outer_signs(name) else name


def _outer_signs(name: str) -> set[str]:
    """The signs of a name that stand outside all brackets."""
    depth, signs = 0, set()
    for character in name:
        depth += (character == "(") - (character == ")")
        if depth == 0 and character in "&|":
            signs.add(character)
    return signs


def _check_count(what: str, n: int, least: int) -> None:
    if not isinstance(n, int) or isinstance(n, bool) or n < least:
        raise ValueError(f"{what}(n) counts tokens: a whole number from {least} up, got {n!r}.")


def _check_tokens(what: str, name: str, values: Tensor) -> None:
    if not isinstance(values, Tensor) or values.dim() not in (1, 2):
        got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"{what}({name}) wants a tensor of shape (key,) or (batch, key), got {got}.")
