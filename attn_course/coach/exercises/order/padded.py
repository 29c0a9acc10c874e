"""Where the tokens of a left-padded batch stand."""

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_padded(keep: Tensor) -> Tensor:
    """Row by row: the first real token stands at 0, the next at 1; filler is put at 0."""
    rows = []
    for row in keep.tolist():
        count, places = 0, []
        for real in row:
            places.append(count if real else 0)
            count += real
        rows.append(places)
    return torch.tensor(rows)


def _kept(*rows: str) -> Tensor:
    """Rows as words: "..xx" is two fillers and two tokens."""
    return torch.tensor([[sign == "x" for sign in row] for row in rows])


def _counted(keep: Tensor) -> Tensor:
    return keep.long().cumsum(-1)


def _plain(keep: Tensor) -> Tensor:
    return torch.arange(keep.shape[1]).expand(keep.shape).clone()


TASK = Task(
    id="order.padded",
    reference=slow_padded,
    cases=(
        Case("1 sentence, one filler and two tokens", (_kept(".xx"),)),
        Case("2 sentences, one of them padded", (_kept("xxx", "..x"),)),
        Case("3 sentences of 1, 4 and 2 tokens", (_kept("...x", "xxxx", "..xx"),)),
        Case("2 sentences of 5 and 6, two fillers and one", (_kept("..xxxxx", ".xxxxxx"),)),
    ),
    axes=("sentence", "token"),
    gradients=False,
    mistakes=(
        Mistake(
            "filler_counted",
            "You counted 0, 1, 2, … from the left edge, so a padded sentence starts at the number of its fillers. Its "
            "first *real* token stands at 0, as when it is alone.",
            _plain,
        ),
        Mistake(
            "from_one",
            "Your real tokens start at 1. The first stands at 0: take one off the running count.",
            lambda keep: _counted(keep) * keep,
        ),
        Mistake(
            "filler_below_zero",
            "Fillers are at −1, and a table has no such row. Put them at 0: nobody looks at them, but they are looked "
            "up.",
            lambda keep: _counted(keep) - 1,
        ),
        Mistake(
            "first_row_for_all",
            "Every sentence got the first one's positions. Each counts for itself.",
            lambda keep: ((_counted(keep) - 1).clamp(min=0))[:1].expand(keep.shape).clone(),
        ),
        Mistake(
            "down_the_batch",
            "You counted down the batch (axis 0) instead of along the text (axis −1).",
            lambda keep: (keep.long().cumsum(0) - 1).clamp(min=0) * keep,
        ),
        Mistake(
            "from_the_right",
            "You counted from the right edge: the last token stands at 0. Order begins at the first real one.",
            lambda keep: (keep.shape[1] - 1 - _plain(keep)) * keep,
        ),
        Mistake(
            "right_padding",
            "These are the positions for padding on the *right*: every row starts at 0 at its left edge, and what lies "
            "beyond its length is put at 0. Here the filler stands first.",
            lambda keep: _plain(keep) * (_plain(keep) < keep.sum(-1, keepdim=True)),
        ),
        Mistake(
            "shifted_by_the_longest",
            "Positions are moved by the number of fillers, but the wrong way: added instead of taken off.",
            lambda keep: (_plain(keep) + (~keep).sum(-1, keepdim=True)) * keep,
        ),
    ),
)
