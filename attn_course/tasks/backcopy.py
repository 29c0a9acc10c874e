"""Bigrams, and now and then a copy: a text in which most tokens need nothing from their context.

A row begins with a token that marks the beginning. After an ordinary token the next one is drawn from a fixed table, as
in `markov`: all that matters is the token itself. After a trigger the token *before* the trigger is repeated: that, and
nothing else, has to be fetched. Source: the Bigram-Backcopy task of Guo et al. 2024, "Active-Dormant Attention Heads"
(arXiv:2410.13835); smaller here, and with two doses: how often something is asked for, and among how many tokens it is.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

VOCABULARY, TRIGGERS, LENGTH = 48, 3, 32
BEGIN = 0  # the first token of every text; 1, 2 and 3 are triggers, the rest are ordinary


@dataclass(frozen=True)
class BackcopyBatch:
    """Rows of which a model reads all but the last token, `read`, and should name what follows each: `wanted`."""

    tokens: Int[Tensor, "batch token"]
    chance: Float[Tensor, "batch place"]  # the probability that the truth gave each wanted token
    window: int = 1

    @property
    def read(self) -> Int[Tensor, "batch place"]:
        return self.tokens[:, :-1]

    @property
    def wanted(self) -> Int[Tensor, "batch place"]:
        return self.tokens[:, 1:]

    @property
    def asks(self) -> Bool[Tensor, "batch place"]:
        """Where something has to be fetched: the query is a trigger."""
        return is_trigger(self.read)

    @property
    def rests(self) -> Bool[Tensor, "batch place"]:
        """Where nothing has to be fetched: an ordinary token, whose successor depends on itself alone.

        From place 2 on: before, there is hardly another token to look at.
        """
        return (self.read > TRIGGERS) & (torch.arange(self.read.shape[1]) > 1)

    @property
    def needed(self) -> Bool[Tensor, "batch query key"]:
        """The tokens that matter to a query: to a trigger those it may repeat, to all others none."""
        at = torch.arange(self.read.shape[1])
        back = at[:, None] - at  # (query, key)
        near = (back >= 1) & (back <= self.window)
        return self.asks[:, :, None] & (self.read > TRIGGERS)[:, None, :] & near

    @property
    def ideal_loss(self) -> float:
        """The loss (nats a token) of whoever knows the table and the rule, on these very rows.

        Where rows were cut out of longer ones, what a first token asks for may be cut away, and nobody reaches it.
        """
        return -self.chance.log().mean().item()


class Backcopy:
    """The source. Its truth is known: which queries ask, which tokens they need, and the smallest loss there can be.

    asking      the probability that a trigger follows an ordinary token. None ever follows a trigger
    window      a trigger repeats one of the ordinary tokens among the `window` places before it, each as likely as the
                others. With 1 that is the token before it, for certain
    vocabulary  tokens in all: the beginning, three triggers, and the ordinary ones
    """

    def __init__(self, asking: float = 0.1, window: int = 1, vocabulary: int = VOCABULARY, seed: int = 0):
        if not 0 <= asking <= 1:
            raise ValueError(f"asking is a probability, from 0 to 1; got {asking!r}.")
        if window < 1:
            raise ValueError(f"window counts places before a trigger that it may repeat: 1 or more, got {window!r}.")
        if vocabulary < TRIGGERS + 3:
            raise ValueError(f"vocabulary needs two ordinary tokens: {TRIGGERS + 3} or more, got {vocabulary!r}.")
        self.asking, self.window, self.vocabulary = asking, window, vocabulary
        ordinary = vocabulary - TRIGGERS - 1
        noise = torch.randn(ordinary, ordinary, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        self.table: Float[Tensor, "token next"] = torch.zeros(vocabulary, vocabulary, dtype=torch.float64)
        self.table[BEGIN, TRIGGERS + 1 :] = 1 / ordinary
        self.table[TRIGGERS + 1 :, 1 : TRIGGERS + 1] = asking / TRIGGERS
        self.table[TRIGGERS + 1 :, TRIGGERS + 1 :] = (1 - asking) * (2 * noise).softmax(dim=-1)

    def batch(self, generator: torch.Generator, rows: int = 64, length: int = LENGTH, skip: int = 0) -> BackcopyBatch:
        """Draw rows of which `length` tokens are read. skip: leave out so many tokens at the beginning of each."""
        if rows < 1 or length < 1 or skip < 0:
            raise ValueError(f"Draw one row of one token or more, and skip none or some; got {rows}, {length}, {skip}.")
        tokens = torch.full((rows, 1), BEGIN)
        chance = []
        for _ in range(skip + length):
            truth = self.following(tokens)  # (row, token)
            drawn = torch.multinomial(truth, 1, generator=generator)  # (row, 1)
            chance.append(truth.gather(1, drawn))
            tokens = torch.cat([tokens, drawn], dim=1)
        return BackcopyBatch(tokens[:, skip:], torch.cat(chance[skip:], dim=1), self.window)

    def following(self, seen: Int[Tensor, "row token"]) -> Float[Tensor, "row token"]:
        """The probability of each token to come next, given the row from its beginning."""
        last, before = seen[:, -1], seen[:, :-1][:, -self.window :]
        counts = torch.zeros(len(seen), self.vocabulary, dtype=torch.float64)
        counts.scatter_add_(1, before, (before > TRIGGERS).double())
        copied = counts / counts.sum(dim=-1, keepdim=True).clamp(min=1)
        return torch.where(is_trigger(last)[:, None], copied, self.table[last])


def is_trigger(tokens: Int[Tensor, "*any"]) -> Bool[Tensor, "*any"]:
    return (tokens > BEGIN) & (tokens <= TRIGGERS)
