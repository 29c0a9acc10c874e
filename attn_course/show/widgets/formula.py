"""Lesson 01: drag a query and watch its weights and its output; or choose a token and see where a real head looks."""

import math
from dataclasses import dataclass
from typing import Any

import traitlets

from attn_course.show.widgets.base import Widget, module, rounded, style

QUERY = (1.2, 0.8)
KEYS = ((1.5, -0.3), (0.4, 1.6), (-1.4, 0.6), (-0.5, -1.5))
VALUES = ((1.7, 0.4), (-0.3, 1.7), (-1.7, -0.5), (0.6, -1.5))


@dataclass(frozen=True)
class Head:
    """One head of a model, on one sentence: a label, the tokens, and q and k of shape (token, d_k).

    scale   what the dot products are multiplied by; 1/√d_k unless given
    """

    label: str
    tokens: list[str]
    q: Any
    k: Any
    scale: float | None = None

    def state(self) -> dict:
        """What the browser needs, rounded to four decimals. ValueError if q, k and tokens do not fit."""
        q, k = rounded(self.q), rounded(self.k)
        shapes = [(len(rows), len(rows[0]) if rows else 0) for rows in (q, k)]
        if shapes[0] != shapes[1] or shapes[0][0] != len(self.tokens) or not shapes[0][1]:
            raise ValueError(
                f"Head {self.label!r}: q and k should be ({len(self.tokens)} tokens, d_k), got {shapes[0]} and "
                f"{shapes[1]}. Take one sequence and one head first, as in q[0, head]."
            )
        scale = 1 / math.sqrt(shapes[0][1]) if self.scale is None else float(self.scale)
        return {"label": self.label, "tokens": list(self.tokens), "q": q, "k": k, "scale": scale}


class FormulaWidget(Widget):
    """A query and 3 to 5 keys with their values in the plane; with `heads`, also a real sentence.

    q, k, v             a query, its keys and their values: points (x, y), each coordinate between −2 and 2
    heads               `Head`s for the sentence; the widget then opens on it
    mode, head, token   what is shown: "plane" or "sentence", which head, which token asks
    """

    _esm = module("formula", "formula_plane", "formula_sentence")
    _css = style("formula")

    mode = traitlets.Enum(["plane", "sentence"], default_value="plane").tag(sync=True)
    q = traitlets.List(traitlets.Float()).tag(sync=True)
    k = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    v = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    heads = traitlets.List(traitlets.Dict()).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    token = traitlets.Int(0).tag(sync=True)

    def __init__(self, q=QUERY, k=KEYS, v=VALUES, heads=(), mode=None, **state):
        super().__init__(
            q=rounded([q])[0],
            k=rounded(k),
            v=rounded(v),
            heads=[head.state() for head in heads],
            mode=mode or ("sentence" if heads else "plane"),
            **state,
        )
        if not 3 <= len(self.k) <= 5 or len(self.k) != len(self.v):
            raise ValueError(f"Give 3 to 5 keys and as many values, got {len(self.k)} and {len(self.v)}.")
        if self.mode == "sentence" and not self.heads:
            raise ValueError("The sentence needs a head: FormulaWidget(heads=[Head(label, tokens, q, k)]).")

    @traitlets.validate("q", "k", "v")
    def _in_the_plane(self, proposal):
        points = [proposal.value] if proposal.trait.name == "q" else proposal.value
        if any(len(point) != 2 or max(map(abs, point)) > 2 for point in points):
            raise traitlets.TraitError(f"{proposal.trait.name}: points (x, y) between −2 and 2, got {proposal.value}.")
        return proposal.value

    @traitlets.validate("head")
    def _a_head(self, proposal):
        return _place(proposal.value, len(self.heads), "head")

    @traitlets.validate("token")
    def _a_token(self, proposal):
        return _place(proposal.value, len(self.heads[self.head]["tokens"]) if self.heads else 0, "token")

    def describe(self) -> str:
        plane = f"plane: 1 query, {len(self.k)} keys"
        if not self.heads:
            return plane
        heads = "1 head" if len(self.heads) == 1 else f"{len(self.heads)} heads"
        return f"{plane}; sentence: {len(self.heads[0]['tokens'])} tokens, {heads}"


def _place(index: int, count: int, name: str) -> int:
    if not 0 <= index < max(count, 1):
        raise traitlets.TraitError(f"{name} should be 0 to {max(count, 1) - 1}, got {index}.")
    return index
