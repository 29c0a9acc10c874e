"""Rows to look at: a few of each head's, their keys pooled into columns, so that a report stays small."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from attn_course.diagnosis.report import Maps
from attn_course.diagnosis.tables import Text

ROWS, COLUMNS = 32, 128  # a head's, at most
CELLS = 600_000  # of all heads together: about two megabytes as JSON


def maps_of(text: Text, layers: int) -> Maps | None:
    """The sampled rows of one layer; `layers` of them share the room. None if no row was sampled."""
    heads = text.weights.shape[0]
    room = max(1, CELLS // (layers * heads * COLUMNS))
    rows = _spread(len(text.places), min(ROWS, room))
    if len(rows) == 0:
        return None
    edges = _edges(text.seen.shape[1])
    return Maps(
        rows=tuple(text.places[rows].tolist()),
        columns=tuple(edges),
        weights=tuple(_rounded(each) for each in _pooled(text.weights[:, rows], edges)),
        received=_rounded(_pooled(text.share, edges)),
    )


def _spread(n: int, most: int) -> list[int]:
    """At most so many of n places, evenly apart, first and last among them."""
    if n <= most:
        return list(range(n))
    return sorted({round(each * (n - 1) / max(1, most - 1)) for each in range(most)})


def _edges(n_key: int) -> list[int]:
    """Where columns begin, at most COLUMNS of them; and where the last one ends. All hold as many keys, but for the
    last, which may hold fewer: of two columns with one key and with two, an even row would make stripes."""
    wide = max(1, math.ceil(n_key / COLUMNS))
    return [*range(0, n_key, wide), n_key]


def _pooled(x: Float[Tensor, "*head key"], edges: list[int]) -> Float[Tensor, "*head column"]:
    """The sum over each column's keys; sums up to an edge, subtracted, in float64, where nothing is lost."""
    sums = torch.nn.functional.pad(x.double().cumsum(-1), (1, 0))
    at = torch.tensor(edges)
    return sums[..., at[1:]] - sums[..., at[:-1]]


def _rounded(rows: Float[Tensor, "row column"]) -> tuple[tuple[float | None, ...], ...]:
    """Thousandths: finer than any colour."""
    return tuple(tuple(None if each != each else abs(round(each, 3)) for each in row) for row in rows.tolist())
