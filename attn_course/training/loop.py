"""The shortest loop that trains: seed, AdamW, a loss a step."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def train(
    model: nn.Module,
    loss_of_batch: Callable[[nn.Module, torch.Generator], Tensor],
    steps: int,
    lr: float = 1e-3,
    seed: int = 0,
) -> list[float]:
    """Train `model` in place and return its loss at every step.

    loss_of_batch   draws a batch from the generator it is given and returns the loss, a tensor of one number
    seed            of the data; the model's own start is its maker's business

    Raises FloatingPointError with one sentence when the loss is no longer finite.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    losses = []
    for step in range(steps):
        loss = loss_of_batch(model, generator)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"The loss is {loss.item()} at step {step}. A smaller lr than {lr:g} may help.")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
