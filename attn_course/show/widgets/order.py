"""Lesson 05: how like one another an encoding makes two places, as a map and as a curve."""

import torch
import traitlets
from jaxtyping import Float
from torch import Tensor

from attn_course.attention import Rotary
from attn_course.attention.positions import BASE, alibi_slopes, distance_bucket, sinusoids
from attn_course.show.widgets.base import Widget, module, rounded, style

PLACES, WIDEST = 64, 64
ENCODINGS = ("sinusoidal", "rotary", "alibi", "relative", "learned", "none")
PAIRS = ("halves", "interleaved", "mixed")  # not "layout": every widget has a trait of that name


def cosines(table: Float[Tensor, "place d_model"]) -> Float[Tensor, "place place"]:
    """How like one another the vectors of a table are: 1 if they point the same way."""
    unit = torch.nn.functional.normalize(torch.as_tensor(table).detach().double(), dim=-1)
    return unit @ unit.T


class OrderWidget(Widget):
    """Choose an encoding, move the query, and see which places it makes alike.

    encoding        "sinusoidal", "rotary", "alibi", "relative", "learned", "none"
    query           the place that asks, 0 to 63
    d, base         sinusoidal and rotary: features (a power of two, 4 to 64), and what the waves grow by
    pairs           rotary: "halves", "interleaved", or "mixed" (queries in halves, keys interleaved: a fault)
    content         rotary: "even" (all features 1) or "random" (the same for query and key)
    heads, head     alibi: how many, and which
    buckets, farthest   relative: how many numbers, and the distance from which on all share the last
    table           learned: the vectors of at least 64 places; unless given, a table that was never trained

    `w.values()` gives the map in torch: cosines; for alibi what a weight is multiplied by; for relative the bucket.
    """

    _esm = module("order_numbers", "order")
    _css = style("order")

    encoding = traitlets.Enum(ENCODINGS, default_value="sinusoidal").tag(sync=True)
    query = traitlets.Int(32, min=0, max=PLACES - 1).tag(sync=True)
    d = traitlets.Int(WIDEST).tag(sync=True)
    base = traitlets.Float(BASE, min=2, max=1e6).tag(sync=True)
    pairs = traitlets.Enum(PAIRS, default_value="halves").tag(sync=True)
    content = traitlets.Enum(("even", "random"), default_value="even").tag(sync=True)
    heads = traitlets.Int(8, min=1, max=16).tag(sync=True)
    head = traitlets.Int(0, min=0, max=15).tag(sync=True)
    buckets = traitlets.Int(32, min=4, max=32).tag(sync=True)
    farthest = traitlets.Int(48, min=20, max=128).tag(sync=True)
    alike = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)  # thousandths, for learned
    vector = traitlets.List(traitlets.Float()).tag(sync=True)  # the random content

    def __init__(self, table: Float[Tensor, "place d_model"] | None = None, **state):
        rng = torch.Generator().manual_seed(0)
        fresh = torch.randn(PLACES, WIDEST, generator=rng)
        table = fresh if table is None else torch.as_tensor(table)
        if table.dim() != 2 or len(table) < PLACES:
            raise ValueError(
                f"table should hold a vector for each of {PLACES} places or more, got shape {tuple(table.shape)}."
            )
        alike = cosines(table[:PLACES]).mul(1000).round().int().tolist()
        vector = rounded(torch.randn(WIDEST, generator=rng))
        super().__init__(alike=alike, vector=vector, **state)

    @traitlets.validate("d")
    def _power_of_two(self, proposal):
        if proposal.value not in (4, 8, 16, 32, 64):
            raise traitlets.TraitError(f"d should be 4, 8, 16, 32 or 64, got {proposal.value}.")
        return proposal.value

    @traitlets.validate("head", "heads")
    def _head_is_there(self, proposal):
        now = {"head": self.head, "heads": self.heads} | {proposal.trait.name: proposal.value}
        if now["head"] >= now["heads"]:
            raise traitlets.TraitError(f"head should be 0 to {now['heads'] - 1}, got {now['head']}.")
        return proposal.value

    def values(self) -> Float[Tensor, "query key"]:
        """The map that is drawn, from `attention.positions`; NaN where nothing is (the future, for relative)."""
        at = torch.arange(PLACES)
        i, j = at[:, None], at[None, :]
        match self.encoding:
            case "sinusoidal":
                return cosines(sinusoids(at, self.d, self.base))
            case "rotary":
                return self._rotated(at)
            case "alibi":
                return (-alibi_slopes(self.heads)[self.head].double() * (i - j).abs()).exp()
            case "relative":
                bucket = distance_bucket(i - j, self.buckets, self.farthest).double()
                return bucket.masked_fill(j > i, torch.nan)
            case "learned":
                return torch.tensor(self.alike, dtype=torch.float64) / 1000
        return torch.ones(PLACES, PLACES, dtype=torch.float64)

    def _rotated(self, at: Tensor) -> Tensor:
        x = torch.ones(self.d) if self.content == "even" else torch.tensor(self.vector[: self.d])
        x = x.double().expand(1, 1, PLACES, self.d)
        layouts = ("halves", "interleaved") if self.pairs == "mixed" else (self.pairs,) * 2
        q, k = (Rotary(self.d, self.base, layout).rotate(x, at)[0, 0] for layout in layouts)
        return q @ k.T / x[0, 0, 0].square().sum()

    def describe(self) -> str:
        return f"{self.encoding}: {PLACES} places, query at {self.query}"
