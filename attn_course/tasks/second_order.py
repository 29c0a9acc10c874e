"""A source in which the next token depends on the last two: a small loss needs a look at the token before the present.

Three losses are known without any model, and each tells what a predictor has used: nothing (`shares_only`), the
present token (`one_back`), or the last two, which is all there is (`entropy`).
"""

from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor


class SecondOrderSource:
    """Tokens 0…states−1; `table[a, b, c]` is the probability that c follows b when a came before it."""

    def __init__(self, states: int = 5, sharpness: float = 3.0, seed: int = 0):
        if states < 2:
            raise ValueError(f"A source of one token has nothing to predict; take 2 states or more, got {states}.")
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(states, states, states, generator=generator, dtype=torch.float64)
        self.table: Float[Tensor, "state state state"] = (sharpness * noise).softmax(dim=-1)

    @cached_property
    def stationary(self) -> Float[Tensor, "state state"]:
        """How often each pair of neighbours occurs in the long run."""
        share = torch.full(self.table.shape[:2], 1 / self.table.shape[0] ** 2, dtype=torch.float64)
        for _ in range(1000):
            share = torch.einsum("ab,abc->bc", share, self.table)
        return share

    @property
    def entropy(self) -> float:
        """The entropy rate in nats a token: the smallest loss that a predictor of the next token can have."""
        return (self.stationary * _entropy(self.table)).sum().item()

    @property
    def one_back(self) -> float:
        """The smallest loss of a predictor that sees the present token and none before it (nats a token)."""
        share = self.stationary
        now = share.sum(dim=0)  # (state,)
        given = torch.einsum("ab,abc->bc", share, self.table) / now[:, None]  # (present, next)
        return (now * _entropy(given)).sum().item()

    @property
    def shares_only(self) -> float:
        """The smallest loss of a predictor that sees nothing and knows how often each token occurs (nats a token)."""
        return _entropy(self.stationary.sum(dim=0)).item()

    def sample(self, generator: torch.Generator, batch: int, length: int) -> Int[Tensor, "batch token"]:
        """Draw sequences of two tokens or more that start from the long-run shares of pairs."""
        if length < 2:
            raise ValueError(f"The source draws its first two tokens together, so length is 2 or more, got {length}.")
        pairs = torch.multinomial(self.stationary.flatten(), batch, replacement=True, generator=generator)
        states = self.table.shape[0]
        tokens = [pairs // states, pairs % states]
        while len(tokens) < length:
            tokens.append(torch.multinomial(self.table[tokens[-2], tokens[-1]], 1, generator=generator)[:, 0])
        return torch.stack(tokens, dim=1)


def _entropy(p: Float[Tensor, "*of state"]) -> Float[Tensor, "*of"]:
    return -torch.xlogy(p, p).sum(dim=-1)
