"""Padding as a query: nobody may look at it, but it looks all the same, and would be counted among those who do."""

import torch
from jaxtyping import Bool
from torch import Tensor

from attn_course.attention import Visibility, visible_where

ROWS = 128  # queries, looked at together

Visible = Visibility | Tensor | None


def without_padding(
    visible: Visible, keep: Bool[Tensor, "batch key"], n_query: int, from_all: bool
) -> Visibility | None:
    """`visible`, and nothing at all for the queries that `keep` marks as padding. Nothing is written out.

    None if padding may be looked at, by any token that is kept or (`from_all`) by any token at all: then it is no
    padding here, or the mask forgot it. Queries are the last of the keys.
    """
    n_key = keep.shape[1]
    j = torch.arange(n_key, device=keep.device)
    i = j[n_key - n_query :]
    for rows in i.split(ROWS):
        who = keep[:, None, rows, None] | from_all
        if (_at(visible, rows, j, n_key - n_query) & who & ~keep[:, None, None, :]).any():
            return None
    return visible_where(
        lambda i, j: _at(visible, i[:, 0], j[0], n_key - n_query) & keep[:, None, i[:, 0], None], "without padding"
    )


def _at(visible: Visible, i: Tensor, j: Tensor, first: int) -> Bool[Tensor, "... row key"]:
    """Some rows and columns of it. `first`: the place of the first query."""
    if visible is None:
        return torch.ones(len(i), len(j), dtype=torch.bool, device=i.device)
    if isinstance(visible, Visibility):
        return visible(i[:, None], j[None, :])
    visible = visible if visible.shape[-2] == 1 else visible[..., i - first, :]
    return visible if visible.shape[-1] == 1 else visible[..., j]
