"""A source whose entropy is known: no honest predictor can have a smaller loss.

The next token depends on the present one alone, through a fixed table of probabilities.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


class MarkovSource:
    """Tokens 0…states−1; `table[a, b]` is the probability that b follows a."""

    def __init__(self, states: int = 16, sharpness: float = 2.0, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(states, states, generator=generator, dtype=torch.float64)
        self.table: Float[Tensor, "state state"] = (sharpness * noise).softmax(dim=-1)

    @property
    def stationary(self) -> Float[Tensor, "state"]:
        """How often each token occurs in the long run: the row vector that the table leaves unchanged."""
        share = torch.full((len(self.table),), 1 / len(self.table), dtype=torch.float64)
        for _ in range(1000):
            share = share @ self.table
        return share

    @property
    def entropy(self) -> float:
        """The entropy rate in nats a token: the smallest loss that a predictor of the next token can have."""
        rows = -torch.xlogy(self.table, self.table).sum(dim=-1)  # (state,)
        return (self.stationary * rows).sum().item()

    def sample(self, generator: torch.Generator, batch: int, length: int) -> Int[Tensor, "batch token"]:
        """Draw sequences that start from the long-run shares."""
        tokens = [torch.multinomial(self.stationary, batch, replacement=True, generator=generator)]
        for _ in range(length - 1):
            tokens.append(torch.multinomial(self.table[tokens[-1]], 1, generator=generator)[:, 0])
        return torch.stack(tokens, dim=1)
