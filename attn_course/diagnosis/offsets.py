"""How much of a head's attention goes to keys of one fixed distance: heads that follow a position."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attn_course.diagnosis.close import Estimate
from attn_course.diagnosis.tables import Table, Text, all_rows, not_numbers
from attn_course.diagnosis.thresholds import OFFSET_LEAST, OFFSET_ROWS


@dataclass(frozen=True)
class Offsets:
    """How much of a head's attention goes to keys of one fixed distance, over sampled rows."""

    previous: Estimate  # (head,): to the token before
    most: Estimate  # (head,): at the distance that takes most
    which: Int[Tensor, "head"]  # that distance, key − query


def offsets_of(table: Table) -> Offsets:
    """A distance counts if a fair share of the rows, and a fair number, has a key there; the others have not its weight
    to give.

    On drawn rows the greatest of many means is greater than any is in truth. So every second of them says which
    distance it is, and the others say how much it takes.
    """
    longest = max(max(text.weights.shape[-1], _last(text) + 1) for text in table.texts)
    rows = torch.cat([_by_offset(text, longest) for text in table.texts], dim=1)  # (head, row, offset)
    there = ~rows.isnan().all(0)  # (row, offset)
    enough = there.sum(0) >= max(OFFSET_LEAST, OFFSET_ROWS * len(there))
    drawn = not all_rows(table)
    rows = rows.masked_fill(not_numbers(table)[:, None, None], torch.nan)
    mean, error = _means(rows, drawn)
    first, _ = _means(rows[:, ::2] if drawn else rows, drawn)
    second, its_error = _means(rows[:, 1::2] if drawn else rows, drawn)
    which = first.where(enough, -1).nan_to_num(-1).argmax(1)
    at = torch.arange(table.heads)
    unknown = torch.nan if not enough.any() else 0.0
    before = longest - 2  # offset −1; offsets go from 1 − longest to longest − 1
    return Offsets(
        Estimate(mean[:, before], error[:, before]),
        Estimate(second[at, which] + unknown, its_error[at, which] + unknown),
        which - (longest - 1),
    )


def _means(rows: Float[Tensor, "head row offset"], drawn: bool) -> tuple[Tensor, Tensor]:
    """(head, offset): mean, and standard error, of the rows that have a key there."""
    mean = rows.nanmean(1)
    if not drawn:
        return mean, torch.zeros_like(mean)
    n = (~rows.isnan()).sum(1)
    squares = (rows - mean[:, None]).square().nansum(1)
    return mean, (squares / (n - 1).clamp(min=1) / n.clamp(min=1)).sqrt().where(n > 1, torch.nan)


def _last(text: Text) -> int:
    return int(text.places.max()) if len(text.places) else 0


def _by_offset(text: Text, longest: int) -> Float[Tensor, "head row offset"]:
    """Each row shifted so that its own token stands in the middle; NaN where there is no key."""
    n_key = text.weights.shape[-1]
    at = torch.arange(n_key) - text.places[:, None] + longest - 1  # (row, key)
    shifted = text.weights.new_full((*text.weights.shape[:2], 2 * longest - 1), torch.nan)
    weights = text.weights.where(text.seen[:, None], torch.nan)  # padding is no key
    return shifted.scatter(2, at.expand(text.weights.shape), weights)
