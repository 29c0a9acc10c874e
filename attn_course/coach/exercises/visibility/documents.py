"""Two texts in one row."""

import torch
from torch import Tensor

from attn_course.coach.exercises.visibility.causal import ones
from attn_course.coach.spec import Case, Mistake, Task


def slow_documents(ids: Tensor) -> Tensor:
    """Same document, and not the future."""
    n = len(ids)
    return torch.tensor([[bool(ids[i] == ids[j]) and j <= i for j in range(n)] for i in range(n)])


def _same(ids: Tensor) -> Tensor:
    return ids[:, None] == ids[None, :]


TASK = Task(
    id="visibility.documents",
    reference=slow_documents,
    cases=(
        Case("3 tokens, documents 0 0 1", (torch.tensor([0, 0, 1]),)),
        Case("5 tokens, documents 0 0 1 1 1", (torch.tensor([0, 0, 1, 1, 1]),)),
        Case("6 tokens, documents 7 7 3 3 3 5 (numbers in no order)", (torch.tensor([7, 7, 3, 3, 3, 5]),)),
    ),
    axes=("query", "key"),
    gradients=False,
    mistakes=(
        Mistake(
            "not_causal",
            "Documents are kept apart, but inside each one the future is visible.",
            lambda ids: _same(ids),
        ),
        Mistake(
            "not_separate",
            "This is the causal matrix alone: the second document reads the first.",
            lambda ids: ones(len(ids), len(ids)).tril(),
        ),
        Mistake(
            "at_most",
            "You let a token see documents with a smaller or equal number. That leaks earlier documents into later "
            "ones, and breaks when the numbers are in no order: compare with ==.",
            lambda ids: (ids[:, None] >= ids[None, :]) & ones(len(ids), len(ids)).tril(),
        ),
        Mistake(
            "either",
            "You joined the two rules with *or*. Both must hold: the same document, and not the future.",
            lambda ids: _same(ids) | ones(len(ids), len(ids)).tril(),
        ),
        Mistake(
            "blind_to_itself",
            "A token cannot see itself here, so the first token of every document sees nothing.",
            lambda ids: _same(ids) & ones(len(ids), len(ids)).tril(-1),
        ),
        Mistake(
            "inverted",
            "True and False are exchanged: True means may look.",
            lambda ids: ~slow_documents(ids),
        ),
    ),
)
