"""Adapters: a small network after each block's feed-forward, through a bottleneck, and it alone is trained.

Source: Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP" (arXiv:1902.00751), section 2.1; they put
a second one after the attention, which is left out here.
"""

from copy import deepcopy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.models.blocks import PreNorm


class Adapter(nn.Module):
    """y + W_up · gelu(W_down · y), where y is what the feed-forward network gives. W_up starts at zero."""

    def __init__(self, feed_forward: nn.Module, d_model: int, width: int):
        super().__init__()
        if width < 1:
            raise ValueError(f"An adapter's bottleneck has at least one feature, got width={width}.")
        self.feed_forward = feed_forward
        self.down = nn.Linear(d_model, width)
        self.up = nn.Linear(width, d_model)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Float[Tensor, "batch token d_model"]) -> Float[Tensor, "batch token d_model"]:
        y = self.feed_forward(x)
        return y + self.up(F.gelu(self.down(y)))


def with_adapters(model: nn.Module, width: int, seed: int = 0) -> nn.Module:
    """A copy of the model that trains an adapter in each of its blocks, and nothing else."""
    copy = deepcopy(model).requires_grad_(False)
    blocks = [module for module in copy.modules() if isinstance(module, PreNorm)]
    if not blocks:
        raise ValueError(f"{type(model).__name__} has no block with a feed-forward network, so nothing to adapt.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for block in blocks:
            block.feed_forward = Adapter(block.feed_forward, block.attention.w_o.out_features, width)
    return copy
