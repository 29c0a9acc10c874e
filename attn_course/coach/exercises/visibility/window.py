"""A window that looks back."""

import torch
from torch import Tensor

from attn_course.coach.exercises.visibility.causal import ones
from attn_course.coach.spec import Case, Mistake, Task


def slow_window(n: int, w: int) -> Tensor:
    """Token i sees itself and the w − 1 tokens before it."""
    return torch.tensor([[i - w < j <= i for j in range(n)] for i in range(n)])


def _counts(output: Tensor, n: int, w: int) -> str | None:
    got, wanted = int(output[-1].sum()), min(n, w)
    return None if got == wanted else f"The last of {n} tokens should see {wanted} with a window of {w}; it sees {got}."


def _by_slices(n: int, w: int) -> Tensor:
    visible = torch.zeros(n, n, dtype=torch.bool)
    for i in range(n):
        visible[i, i - w + 1 : i + 1] = True
    return visible


TASK = Task(
    id="visibility.window",
    reference=slow_window,
    cases=(
        Case("3 tokens, window 1", (3, 1)),
        Case("4 tokens, window 2", (4, 2)),
        Case("6 tokens, window 3", (6, 3)),
        Case("3 tokens, window 9", (3, 9)),
    ),
    axes=("query", "key"),
    gradients=False,
    properties=(_counts,),
    mistakes=(
        Mistake(
            "one_too_far",
            "One step too far back: w tokens before it *and* itself makes w + 1. The token itself counts.",
            lambda n, w: ones(n, n).tril() & ones(n, n).triu(-w),
        ),
        Mistake(
            "one_too_near",
            "One token too few: with window 1 nobody sees anything, not even itself.",
            lambda n, w: ones(n, n).tril() & ones(n, n).triu(2 - w),
        ),
        Mistake(
            "negative_slice",
            "Right where the window is full, but for the first tokens i − w + 1 is negative, and a slice that starts "
            "below zero counts from the end. Start at max(0, i − w + 1).",
            _by_slices,
        ),
        Mistake(
            "both_sides",
            "Your window looks both ways. This one belongs to a decoder: cut off the future as well.",
            lambda n, w: ones(n, n).tril(w - 1) & ones(n, n).triu(1 - w),
        ),
        Mistake(
            "no_window",
            "This is the whole past: the window is not applied.",
            lambda n, w: ones(n, n).tril(),
        ),
        Mistake(
            "looks_forward",
            "The window looks forward: token i sees i to i + w − 1. Rows are queries, columns are keys.",
            lambda n, w: slow_window(n, w).T,
        ),
        Mistake(
            "inverted",
            "True and False are exchanged: True means may look.",
            lambda n, w: ~slow_window(n, w),
        ),
    ),
)
