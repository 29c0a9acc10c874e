"""Induction: a random row of tokens that repeats itself. What followed this token last time follows it again.

Nothing can be learned about the tokens, for every row is drawn anew: from the second time round on, all that helps is
to look back. The head that does it, and how it comes into being: Olsson et al. 2022, "In-context Learning and
Induction Heads" (arXiv:2209.11895).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

VOCABULARY, LENGTH, PERIODS = 64, 64, (8, 32)


@dataclass(frozen=True)
class InductionBatch:
    tokens: Int[Tensor, "batch token"]
    period: Int[Tensor, "batch"]  # after how many tokens each row repeats

    @property
    def predictable(self) -> Bool[Tensor, "batch place"]:
        """Where the next token follows from what stands before: the present token has occurred already.

        Of the LENGTH − 1 places that have a next token, all from `period` on. Before, guessing costs ln(64) nats.
        """
        return torch.arange(self.tokens.shape[1] - 1) >= self.period[:, None]


def induction_batch(
    generator: torch.Generator, batch: int = 32, periods: int | tuple[int, int] = PERIODS
) -> InductionBatch:
    """Draw rows of 64 tokens: `period` different ones, then the same again, and again.

    periods   the least and the greatest, from which each row draws its own, or one number for all rows
    """
    least, greatest = (periods, periods) if isinstance(periods, int) else periods
    if not 1 <= least <= greatest < LENGTH:
        raise ValueError(f"A period goes from 1 to {LENGTH - 1}, or nothing would repeat; got {periods}.")
    period = torch.randint(least, greatest + 1, (batch,), generator=generator)
    order = torch.rand(batch, VOCABULARY, generator=generator).argsort(dim=-1)  # no token twice in a period
    place = torch.arange(LENGTH) % period[:, None]  # (batch, token)
    return InductionBatch(order.gather(1, place), period)


def repeat_accuracy(scores: Float[Tensor, "batch place vocabulary"], batch: InductionBatch) -> float:
    """How often the largest score is the true next token, over the predictable places. Guessing: 1/64.

    scores   a model's, for the tokens without the last: model(batch.tokens[:, :-1])
    """
    right = scores.argmax(dim=-1) == batch.tokens[:, 1:]
    return right[batch.predictable].float().mean().item()


def prefix_match(weights: Float[Tensor, "batch head query key"], batch: InductionBatch) -> Float[Tensor, "head"]:
    """How much attention a head pays to the tokens that followed the present token before, at predictable places.

    The mark of an induction head (Olsson et al. 2022, section "Head activation evaluators"): 1 is all of it. Every
    earlier occurrence counts. weights: from a model that read batch.tokens[:, :-1].
    """
    tokens = batch.tokens[:, :-1]
    before = torch.cat([torch.full_like(tokens[:, :1], -1), tokens[:, :-1]], dim=1)  # the token left of each key
    followed = tokens[:, :, None] == before[:, None, :]  # (batch, query, key)
    followed &= torch.ones_like(followed[0]).tril()
    share = (weights * followed[:, None]).sum(dim=-1)  # (batch, head, query)
    return _mean_over(share, batch.predictable)


def previous_token(weights: Float[Tensor, "batch head query key"]) -> Float[Tensor, "head"]:
    """How much attention a head pays to the token just before, on average over all places but the first."""
    return weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=(0, 2))


def best(scores: Iterable[Float[Tensor, "head"]]) -> float:
    """The largest of these scores, over all layers and heads given."""
    return max(layer.max().item() for layer in scores)


def _mean_over(share: Float[Tensor, "batch head query"], where: Bool[Tensor, "batch query"]) -> Float[Tensor, "head"]:
    where = where[:, None].to(share.dtype)
    return (share * where).sum(dim=(0, 2)) / where.sum()
