"""Lesson 02: d_k and the scale, and what they do to the softmax and to its gradient."""

import torch
import traitlets

from attn_course.show.widgets.base import Widget, module, rounded, style

WIDTHS = tuple(2**power for power in range(10))  # d_k: 1, 2, 4, … 512
QUERIES, KEYS = 32, 24


def dot_products(seed: int = 0) -> torch.Tensor:
    """q·k of random normal vectors for every d_k: (d_k, query, key).

    One draw serves all widths: the product at d_k is the sum of the first d_k of 512 terms, so that moving the slider
    lengthens the same vectors and does not draw new ones.
    """
    rng = torch.Generator().manual_seed(seed)
    q = torch.randn(QUERIES, 1, WIDTHS[-1], generator=rng, dtype=torch.float64)
    k = torch.randn(QUERIES, KEYS, WIDTHS[-1], generator=rng, dtype=torch.float64)
    sums = (q * k).cumsum(dim=-1)  # (query, key, 512)
    return sums[..., [width - 1 for width in WIDTHS]].movedim(-1, 0)


class ScalingWidget(Widget):
    """Scores q·k / d_k^exponent of random queries and keys, their softmax, and its gradient.

    d_k       a power of two, 1 to 512
    exponent  0 (no scale) to 1; the paper's is ½
    n_keys    2 to 24
    query     which of the 32 random queries is shown
    measure   what the curve over d_k shows: "gradient" or "entropy", the mean over the 32 queries
    seed      for the random queries and keys
    """

    _esm = module("scaling_charts", "scaling")
    _css = style("scaling")

    d_k = traitlets.Int(64).tag(sync=True)
    exponent = traitlets.Float(0.5, min=0, max=1).tag(sync=True)
    n_keys = traitlets.Int(12, min=2, max=KEYS).tag(sync=True)
    query = traitlets.Int(0, min=0, max=QUERIES - 1).tag(sync=True)
    measure = traitlets.Enum(["gradient", "entropy"], default_value="gradient").tag(sync=True)
    products = traitlets.List().tag(sync=True)  # (d_k, query, key)

    def __init__(self, seed: int = 0, **state):
        super().__init__(products=rounded(dot_products(seed)), **state)

    @traitlets.validate("d_k")
    def _power_of_two(self, proposal):
        if proposal.value not in WIDTHS:
            raise traitlets.TraitError(f"d_k should be a power of two from 1 to 512, got {proposal.value}.")
        return proposal.value

    def describe(self) -> str:
        return f"d_k = 1 to {WIDTHS[-1]}, scale 1/d_k^a, {KEYS} keys"
