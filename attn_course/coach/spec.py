"""What an exercise is, for the check: cases, a reference, and wrong answers that have names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """One call of the learner's function. Cases are listed smallest first: the first that fails is the one shown.

    within   puts the answer into something larger, and what comes of that is called: `within(answer)(*args)`. Not for
             the last case, which is also run to see whether the answer does the work itself
    axes     names of this output's axes, where they are not the task's
    """

    name: str  # said to the learner: "2 queries, 3 keys"
    args: tuple[Any, ...]
    tolerance: float = 1e-9
    within: Callable[[Callable], Callable] | None = None
    axes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners really give, runnable, with the sentence that names it."""

    id: str
    sentence: str
    answer: Callable


@dataclass(frozen=True)
class Task:
    """The runnable side of an exercise in the catalogue.

    reference     slow and obvious; what the answer is compared with, on every case, gradients included
    axes          the names of the output's last axes, for messages: ("query", "key")
    seen_through  what of the output counts, if several outputs are right: (output, *args) → tensor
    accepts       (seen, target) → True or False, if closeness to the reference is not the test
    family        (output, output) → True if two wrong outputs are one mistake up to its size; needs seen_through
    properties    (output, *args) → a sentence if the output breaks a law, else None; said when no mistake matches
    refused       names of torch functions that would do the exercise for the learner
    """

    id: str
    reference: Callable
    cases: tuple[Case, ...]
    mistakes: tuple[Mistake, ...]
    axes: tuple[str, ...] = ()
    properties: tuple[Callable[..., str | None], ...] = ()
    gradients: bool = True
    refused: tuple[str, ...] = ()
    seen_through: Callable[..., Any] | None = None
    accepts: Callable[[Any, Any], bool] | None = None
    family: Callable[[Any, Any], bool] | None = None

    def seen(self, output: Any, args: tuple) -> Any:
        return output if self.seen_through is None else self.seen_through(output, *args)


AUTOGRAD = ("jacobian", "jacrev", "jacfwd", "vjp", "jvp", "grad", "backward")
FUSED = ("scaled_dot_product_attention", "multi_head_attention_forward")


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers, the same on every run."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
