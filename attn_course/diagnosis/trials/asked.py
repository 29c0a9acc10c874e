"""Questions to a model: what it reads, what it should answer, and, where that is known, what it needs for it."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

NOT_ASKED = -100  # in `wanted`: no answer is asked for here


@dataclass(frozen=True)
class Asked:
    """A batch of rows, all of one length, shuffled: some trials take the first of them.

    tokens      what the model reads
    wanted      the answer at each place, or NOT_ASKED; (batch, class) scores go with one answer a row, at any place
    needed      which keys a query needs for its answer; none where it needs nothing. None: not known
    irrelevant  tokens that no query needs. None: not known
    must_not    kinds of tokens (their numbers) that must not decide an answer, as a marker must not
    may         kinds of tokens that may decide one, as those that ask

    Raises ValueError with one sentence for shapes that do not fit, and if nothing is asked.
    """

    tokens: Int[Tensor, "batch token"]
    wanted: Int[Tensor, "batch token"]
    needed: Bool[Tensor, "batch query key"] | None = None
    irrelevant: Bool[Tensor, "batch key"] | None = None
    must_not: tuple[int, ...] = ()
    may: tuple[int, ...] = ()

    def __post_init__(self):
        shape = tuple(self.tokens.shape)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"tokens should have shape (batch, token), and at least one of each; got {shape}.")
        batch, n = shape
        shapes = {"wanted": (batch, n), "needed": (batch, n, n), "irrelevant": (batch, n)}
        for name, right in shapes.items():
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != right:
                raise ValueError(f"{name} should have shape {right}, for tokens of {shape}; got {tuple(value.shape)}.")
        if not self.places.any():
            raise ValueError(f"Nothing is asked: wanted is {NOT_ASKED} everywhere, so there is no loss to look at.")

    @property
    def places(self) -> Bool[Tensor, "batch token"]:
        """Where an answer is asked for."""
        return self.wanted != NOT_ASKED

    @property
    def once(self) -> bool:
        """Whether each row is asked for one answer."""
        return bool((self.places.sum(1) == 1).all())

    @property
    def guess(self) -> float:
        """The loss (nats) of whoever always answers by how often each answer is right."""
        shares = torch.bincount(self.wanted[self.places]).double()
        return torch.special.entr(shares / shares.sum()).sum().item()

    def rows(self, most: int) -> "Asked":
        """The first rows."""
        cut = {name: getattr(self, name) for name in ("tokens", "wanted", "needed", "irrelevant")}
        cut = {name: None if value is None else value[:most] for name, value in cut.items()}
        return Asked(**cut, must_not=self.must_not, may=self.may)


@torch.no_grad()
def scores(model: nn.Module, asked: Asked, tokens: Tensor | None = None) -> Float[Tensor, "answer class"]:
    """The model's scores where an answer is asked for; of a model of the library, its logits."""
    found = model(asked.tokens if tokens is None else tokens)
    found = getattr(found, "logits", found)
    if not isinstance(found, Tensor) or found.dim() not in (2, 3):
        what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"The model should give scores, (batch, token, class) or (batch, class); it gave {what}.")
    if found.dim() == 2 and not asked.once:
        raise ValueError("The model gives one answer a row, and several are asked for: leave one place in each row.")
    return found if found.dim() == 2 else found[asked.places]


def losses(model: nn.Module, asked: Asked) -> Float[Tensor, "answer"]:
    """The cross-entropy (nats) of each answer that is asked for."""
    return F.cross_entropy(scores(model, asked), asked.wanted[asked.places], reduction="none")


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
