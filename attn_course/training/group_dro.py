"""Group DRO: train on the group that is worst off. Sagawa et al. 2019 (arXiv 1911.08731), algorithm 1.

There a step draws one group and moves its weight alone; here it takes a batch and moves those of all groups in it.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

LARGEST = 80.0  # exp() of more is too large for float32
LEAST = 1e-30  # a weight of 0 could never grow again


class GroupDRO:
    """A weight for each group that grows with its loss; the loss of a batch is the weighted sum of the groups' means.

    q_g ← q_g · exp(η · loss_g), then q ← q / Σ q: the losses that decide the weights are not differentiated. A group
    that a batch does not hold keeps its weight before the division.

    groups   how many
    step     η of the paper, above 0
    q        (group,) the weights, which sum to 1
    """

    def __init__(self, groups: int = 4, step: float = 0.01):
        if groups < 1 or not step > 0:
            raise ValueError(f"groups should be 1 or more and step above 0; got {groups!r} and {step!r}.")
        self.step = step
        self.q = torch.full((groups,), 1 / groups)

    def __call__(self, losses: Float[Tensor, "case"], groups: Int[Tensor, "case"]) -> Float[Tensor, ""]:
        """The loss to go down on; `q` is changed first. Raises FloatingPointError for a loss that is not finite."""
        means = group_means(losses, groups, len(self.q))
        if not torch.isfinite(means).all():
            raise FloatingPointError("A group's loss is not finite. The groups' weights stay as they were.")
        grown = self.step * means.detach()
        self.q = self.q * torch.exp(
            grown - (grown.max() - LARGEST).clamp(min=0)
        )  # what all lose, the division gives back
        self.q = (self.q / self.q.sum()).clamp(min=LEAST)
        return (self.q * means).sum()


def group_means(losses: Float[Tensor, "case"], groups: Int[Tensor, "case"], n: int) -> Float[Tensor, "group"]:
    """The mean loss of each group; 0 for one that is not there."""
    if losses.shape != groups.shape or not len(losses):
        raise ValueError(
            f"Each case needs a loss and a group, got {tuple(losses.shape)} losses and {tuple(groups.shape)} groups."
        )
    if groups.is_floating_point():
        raise ValueError(f"Groups should be whole numbers, got {groups.dtype}.")
    if groups.min() < 0 or groups.max() >= n:
        raise ValueError(f"Groups go from 0 to {n - 1}, got {groups.min().item()} to {groups.max().item()}.")
    count = torch.bincount(groups, minlength=n).clamp(min=1)
    return torch.zeros(n, dtype=losses.dtype).index_add(0, groups, losses) / count
