"""Lesson 11: twelve tokens of two features, layer by layer, until they are one. All is computed in the browser."""

import math

import torch
import traitlets

from attn_course.show.widgets.base import Widget, module, rounded, style

TOKENS, LAYERS = 12, 12


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens (token, 2), and for each layer W_Q W_Kᵀ (layer, 2, 2) and the angle by which its values are turned."""
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randn(TOKENS, 2, generator=rng, dtype=torch.float64)
    scores = torch.randn(LAYERS, 2, 2, generator=rng, dtype=torch.float64) / math.sqrt(2)
    angles = torch.rand(LAYERS, generator=rng, dtype=torch.float64) * 2 * math.pi
    return tokens, scores, angles


class CollapseWidget(Widget):
    """x ← skip · x + branch · softmax(sharpness · x W xᵀ/√2) x R, R a rotation: twelve tokens in the plane.

    layer      0 (the tokens as they are) to 12: which picture is shown
    skip       0 (attention alone) to 1 (the whole skip)
    sharpness  what scores are multiplied by, 0 (an even average) to 16
    scaled     whether what attention adds is divided by √12
    seed       for tokens and weights
    """

    _esm = module("collapse_numbers", "collapse_pictures", "collapse")
    _css = style("collapse")

    layer = traitlets.Int(0, min=0, max=LAYERS).tag(sync=True)
    skip = traitlets.Float(0.0, min=0, max=1).tag(sync=True)
    sharpness = traitlets.Float(1.0, min=0, max=16).tag(sync=True)
    scaled = traitlets.Bool(False).tag(sync=True)
    tokens = traitlets.List().tag(sync=True)  # (token, 2)
    scores = traitlets.List().tag(sync=True)  # (layer, 2, 2)
    angles = traitlets.List().tag(sync=True)  # (layer,) in radians

    def __init__(self, seed: int = 0, **state):
        tokens, scores, angles = (rounded(each, 6) for each in drawn(seed))
        super().__init__(tokens=tokens, scores=scores, angles=angles, **state)

    def describe(self) -> str:
        return f"{TOKENS} tokens, {LAYERS} layers; layer, skip, sharpness"
