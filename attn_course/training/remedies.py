"""What people do so that a model does not take a shortcut: one remedy, one small function.

Each loss is given the model and a batch of `tasks.marker.Marked`. All but the plain one are told which token is the
marker, or which groups it makes: whoever has not found the shortcut has nothing to hand them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.tasks.marker import GROUPS, Marked
from attn_course.training.group_dro import GroupDRO
from attn_course.training.shortcut_model import on_marker, scores, weights_kept

BATCH = 64
PAIR = 3.0  # weight of the difference of the scores, squared
PENALTY = 30.0  # weight of [CLS]'s share of attention on the marker
ROWS = 300.0  # weight of the other tokens' mean share, of which each may be small
USUAL, STRONG = 0.01, 10.0  # weight decay of AdamW, times the learning rate at each step
STEP = 0.05  # of the groups' weights

Loss = Callable[[nn.Module, Marked], Tensor]


def plain(model: nn.Module, batch: Marked) -> Tensor:
    """Cross-entropy, and nothing else."""
    return F.cross_entropy(scores(model, batch), batch.labels)


def removed(model: nn.Module, batch: Marked) -> Tensor:
    """Learn from the sentences without their markers."""
    return plain(model, batch.removed())


def reweighted(shares: Float[Tensor, "group"]) -> Loss:
    """Each sentence counts as much as its group is rare; `shares` are the groups' shares of the data.

    A group of which there is nothing cannot be made to count: the others share its part.
    """
    if len(shares) != len(GROUPS) or not (shares >= 0).all() or abs(shares.sum().item() - 1) > 1e-4:
        raise ValueError(f"shares should be {len(GROUPS)} numbers of at least 0 that sum to 1, got {shares.tolist()}.")
    there = int((shares > 0).sum())

    def loss(model: nn.Module, batch: Marked) -> Tensor:
        weights = 1 / (there * shares[batch.groups])  # 1 on average
        return (weights * F.cross_entropy(scores(model, batch), batch.labels, reduction="none")).mean()

    return loss


def group_dro(step: float = STEP) -> Loss:
    """The groups' mean losses, weighted by how badly each fares (`GroupDRO`)."""
    worst = GroupDRO(len(GROUPS), step)

    def loss(model: nn.Module, batch: Marked) -> Tensor:
        return worst(F.cross_entropy(scores(model, batch), batch.labels, reduction="none"), batch.groups)

    return loss


def augmented(model: nn.Module, batch: Marked) -> Tensor:
    """Every sentence twice, once with either marker, under the same label."""
    return (plain(model, batch) + plain(model, batch.swapped())) / 2


def paired(weight: float = PAIR) -> Loss:
    """Cross-entropy, and a price on every difference that the marker makes to the scores.

    In the manner of Garg et al. 2018 (arXiv 1809.10610): counterfactual logit pairing.
    """

    def loss(model: nn.Module, batch: Marked) -> Tensor:
        ours, others = scores(model, batch), scores(model, batch.swapped())
        return F.cross_entropy(ours, batch.labels) + weight * (ours - others).pow(2).mean()

    return loss


def penalised(weight: float = PENALTY) -> Loss:
    """Cross-entropy, and a price on the attention that [CLS] pays to the marker, in every layer and head."""

    def loss(model: nn.Module, batch: Marked) -> Tensor:
        with weights_kept(model) as kept:
            said = F.cross_entropy(scores(model, batch), batch.labels)
        return said + weight * torch.stack([on_marker(each, batch)[:, 0].mean() for each in kept]).mean()

    return loss


def penalised_everywhere(weight: float = ROWS) -> Loss:
    """Cross-entropy, and a price on the attention that any token but the marker itself pays to the marker."""

    def loss(model: nn.Module, batch: Marked) -> Tensor:
        with weights_kept(model) as kept:
            said = F.cross_entropy(scores(model, batch), batch.labels)
        others = batch.keep & ~batch.is_marker
        return said + weight * torch.stack([on_marker(each, batch)[others].mean() for each in kept]).mean()

    return loss


# ---- which sentences make a batch


def evenly(known: Marked, generator: torch.Generator, batch: int = BATCH) -> Int[Tensor, "batch"]:
    """Places of a batch, every sentence as likely as any other, with replacement."""
    _check(known, batch)
    return torch.randint(len(known), (batch,), generator=generator)


def by_group(known: Marked, generator: torch.Generator, batch: int = BATCH) -> Int[Tensor, "batch"]:
    """Places of a batch, every group as likely as any other: a rare group's sentences come again and again."""
    _check(known, batch)
    count = torch.bincount(known.groups, minlength=len(GROUPS))
    return torch.multinomial(1 / count[known.groups].double(), batch, replacement=True, generator=generator)


def _check(known: Marked, batch: int) -> None:
    if len(known) == 0 or batch < 1:
        raise ValueError(f"At least one sentence and a batch of 1 or more are needed, got {len(known)} and {batch!r}.")


@dataclass(frozen=True)
class Remedy:
    """How to train: a loss made for the data, which sentences make a batch, and how strongly weights are held down."""

    loss: Callable[[Marked], Loss] = field(default=lambda known: plain)
    draw: Callable[..., Tensor] = evenly
    decay: float = USUAL


def _shares(known: Marked) -> Float[Tensor, "group"]:
    return torch.bincount(known.groups, minlength=len(GROUPS)) / len(known)


REMEDIES = {
    "plain": Remedy(),
    "regularised": Remedy(decay=STRONG),
    "removed": Remedy(lambda known: removed),
    "reweighting": Remedy(lambda known: reweighted(_shares(known))),
    "reweighting, regularised": Remedy(lambda known: reweighted(_shares(known)), decay=STRONG),
    "resampling": Remedy(draw=by_group),
    "resampling, regularised": Remedy(draw=by_group, decay=STRONG),
    "group DRO": Remedy(lambda known: group_dro(), draw=by_group, decay=STRONG),
    "augmentation": Remedy(lambda known: augmented),
    "pair loss": Remedy(lambda known: paired()),
    "attention penalty": Remedy(lambda known: penalised()),
    "penalty on all rows": Remedy(lambda known: penalised_everywhere()),
}
