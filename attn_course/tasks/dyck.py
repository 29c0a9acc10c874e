"""Dyck-k: brackets of k kinds, each closed by its own kind and in the right order, nested as deep as one allows.

    ( [ ] { ( ) → }        after these, only } may close: what is open innermost decides, however long ago it was opened

At every place one question: of which kind is the bracket that has to close next? A machine with a stack answers it at
any depth. A stack that is never deeper than `deepest` needs a bounded memory (Hewitt et al. 2020, arXiv 2010.07515).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

NOTHING = -100  # all is closed, so nothing is asked; what torch's cross_entropy leaves out
PAIRS = ("()", "[]", "{}", "<>")


@dataclass(frozen=True)
class DyckBatch:
    """Tokens 0 … k − 1 open a bracket of that kind, k … 2k − 1 close it."""

    tokens: Int[Tensor, "batch token"]
    wanted: Int[Tensor, "batch token"]  # the kind of what is open innermost after this token; NOTHING if all is closed
    depth: Int[Tensor, "batch token"]  # how many are open after this token
    opened: Int[Tensor, "batch token"]  # how many tokens ago the wanted one was opened: 0, this token; −1 if NOTHING


def dyck_batch(
    generator: torch.Generator,
    batch: int = 32,
    length: int = 64,
    kinds: int = 4,
    deepest: int = 4,
    opens: float = 0.5,
) -> DyckBatch:
    """Draw beginnings of Dyck words: a walk that opens or closes, always opens at depth 0 and closes at `deepest`.

    opens   how likely the next bracket opens one where both may come. Each kind is as likely as any other
    """
    _check(batch, length, kinds, deepest, opens)
    rows = torch.arange(batch)
    kind = torch.zeros(batch, deepest, dtype=torch.long)  # the stack of each row
    place = torch.zeros(batch, deepest, dtype=torch.long)  # where each was opened
    depth = torch.zeros(batch, dtype=torch.long)
    columns: list[tuple[Tensor, ...]] = []
    coins = torch.rand(batch, length, generator=generator)
    drawn = torch.randint(kinds, (batch, length), generator=generator)
    for t in range(length):
        opening = ((coins[:, t] < opens) | (depth == 0)) & (depth < deepest)
        top = (depth - 1).clamp(min=0)
        token = torch.where(opening, drawn[:, t], kinds + kind[rows, top])
        level = depth[opening]
        kind[rows[opening], level], place[rows[opening], level] = drawn[opening, t], t
        depth = torch.where(opening, depth + 1, depth - 1)
        top = (depth - 1).clamp(min=0)
        some = depth > 0
        wanted = torch.where(some, kind[rows, top], NOTHING)
        columns.append((token, wanted, depth, torch.where(some, t - place[rows, top], -1)))
    return DyckBatch(*(torch.stack(column, dim=1) for column in zip(*columns, strict=True)))


def depths(tokens: Int[Tensor, "batch token"], kinds: int = 4) -> Int[Tensor, "batch token"]:
    """How many brackets are open after each token: opened so far, less closed so far. Which kinds does not matter."""
    return torch.where(tokens < kinds, 1, -1).cumsum(dim=-1)


def is_dyck(tokens: list[int], kinds: int = 4) -> bool:
    """Whether these brackets are all closed, in the right order. By a stack."""
    open_now: list[int] = []
    for token in tokens:
        if token < kinds:
            open_now.append(token)
        elif not open_now or open_now.pop() != token - kinds:
            return False
    return not open_now


def spelt(tokens: list[int] | Tensor, kinds: int = 4) -> str:
    """Tokens as brackets: "([])". Of up to four kinds."""
    if not 1 <= kinds <= len(PAIRS):
        raise ValueError(f"There are signs for 1 to {len(PAIRS)} kinds of brackets, not for {kinds}.")
    if strange := [int(token) for token in tokens if not 0 <= token < 2 * kinds]:
        raise ValueError(f"Tokens of {kinds} kinds of brackets are 0 to {2 * kinds - 1}, got {strange[0]}.")
    return "".join(PAIRS[int(token) % kinds][int(token) // kinds] for token in tokens)


def _check(batch: int, length: int, kinds: int, deepest: int, opens: float) -> None:
    for name, size in {"batch": batch, "length": length, "kinds": kinds, "deepest": deepest}.items():
        if size < 1:
            raise ValueError(f"{name} should be at least 1, got {size}.")
    if not 0 <= opens <= 1:
        raise ValueError(f"opens is how likely a bracket opens, from 0 to 1; got {opens}.")
