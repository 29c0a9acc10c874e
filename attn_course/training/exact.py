"""How sure a model is of a yes-or-no question, by the length of the string: accuracy does not see margins shrink."""

import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from attn_course.tasks.bits import random_bits

CHUNK = 20  # strings at a time


def margins(logits: Float[Tensor, "batch"], labels: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """How far each logit is on the side of the right answer: above 0 is right.

    Raises ValueError unless each logit has its label.
    """
    if logits.shape != labels.shape:
        raise ValueError(
            f"Each string has one logit and one label, got shapes {tuple(logits.shape)} and {tuple(labels.shape)}."
        )
    return torch.where(labels == 1, logits, -logits)


def bits_lost(logits: Float[Tensor, "batch"], labels: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """Cross-entropy of each answer in bits, −log₂ of the probability of the right one. A coin's is 1."""
    return F.softplus(-margins(logits, labels)) / math.log(2)


@torch.no_grad()
def by_length(
    model: Callable[[Tensor], Tensor],
    question: Callable[[Tensor], Tensor],
    lengths: Iterable[int],
    strings: int = 100,
    seed: int = 0,
) -> list[dict]:
    """A model on random strings of each length: "n", "accuracy", "bits" (mean), "margin" (mean) and "least" (margin).

    model       bits (batch, n) → logit (batch,), above 0 for yes
    question    bits → label 0 or 1: `tasks.bits.parity`, `tasks.bits.first`
    """
    if strings < 1:
        raise ValueError(f"There should be at least one string of each length, got {strings}.")
    rows = []
    for n in lengths:
        drawn = random_bits(torch.Generator().manual_seed(seed), strings, n)
        logits = torch.cat([model(chunk) for chunk in drawn.split(CHUNK)]).double()
        right = margins(logits, question(drawn))
        bits = bits_lost(logits, question(drawn))
        rows.append(
            {
                "n": n,
                "accuracy": (right > 0).double().mean().item(),
                "bits": bits.mean().item(),
                "margin": right.mean().item(),
                "least": right.min().item(),
            }
        )
    return rows
