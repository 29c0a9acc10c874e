"""Blocks whose skips and branches can be made weaker, one by one: what is it that keeps tokens apart?

Stack(…, block=scaled(PreNorm, attention=0))                 # no skip around attention
Stack(…, block=scaled(PreNorm, branch=1 / math.sqrt(depth))) # what a block adds, made smaller
Stack(…, block=ReZero)
"""

import math
from collections.abc import Callable

import torch
from torch import nn

from attn_course.attention import fused
from attn_course.models.blocks import PostNorm, PreNorm, check_memory


class ScaledPreNorm(PreNorm):
    """s·x + b·f(norm(x)). With s = b = 1 it is `PreNorm`; s = 0 removes the skip."""

    skip_attention = skip_feed_forward = branch = 1.0

    def forward(self, x, visible=None, memory=None, memory_visible=None, cache=None, at=None):
        check_memory(memory, crosses=self.cross is not None)
        new = self.attention(self.norm_attention(x), visible=visible, cache=cache, at=at)
        x = self.skip_attention * x + self.branch * new
        if self.cross is not None:
            x = self.skip_attention * x + self.branch * self.cross(self.norm_cross(x), memory, memory_visible)
        return self.skip_feed_forward * x + self.branch * self.feed_forward(self.norm_feed_forward(x))


class ScaledPostNorm(PostNorm):
    """norm(s·x + b·f(x)). With s = b = 1 it is `PostNorm`; s = 0 removes the skip."""

    skip_attention = skip_feed_forward = branch = 1.0

    def forward(self, x, visible=None, memory=None, memory_visible=None, cache=None, at=None):
        check_memory(memory, crosses=self.cross is not None)
        new = self.attention(x, visible=visible, cache=cache, at=at)
        x = self.norm_attention(self.skip_attention * x + self.branch * new)
        if self.cross is not None:
            x = self.norm_cross(self.skip_attention * x + self.branch * self.cross(x, memory, memory_visible))
        return self.norm_feed_forward(self.skip_feed_forward * x + self.branch * self.feed_forward(x))


class ReZero(PreNorm):
    """x + α·f(x), no normalisation; α is learned and starts at 0, so a block begins as nothing at all.

    Source: Bachlechner et al. 2020 (2003.04887), one α a block for both of its parts.
    """

    def __init__(self, attention, cross, feed_forward, norm):
        super().__init__(attention, cross, feed_forward, nn.Identity)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x, visible=None, memory=None, memory_visible=None, cache=None, at=None):
        check_memory(memory, crosses=self.cross is not None)
        x = x + self.alpha * self.attention(x, visible=visible, cache=cache, at=at)
        if self.cross is not None:
            x = x + self.alpha * self.cross(x, memory, memory_visible)
        return x + self.alpha * self.feed_forward(x)


SCALED = {PreNorm: ScaledPreNorm, PostNorm: ScaledPostNorm}


def scaled(
    block: type[PreNorm] = PreNorm, attention: float = 1.0, feed_forward: float = 1.0, branch: float = 1.0
) -> type[PreNorm]:
    """A kind of block for `Stack(…, block=…)`: the skips around attention and feed-forward times these numbers.

    branch   what both parts of a block add, times this number

    Raises ValueError with one sentence for another block than `PreNorm` and `PostNorm`, or a number that is not finite.
    """
    if block not in SCALED:
        name = getattr(block, "__name__", str(block))
        raise ValueError(f"Skips can be scaled in PreNorm and PostNorm, not in {name}.")
    for name, factor in {"attention": attention, "feed_forward": feed_forward, "branch": branch}.items():
        if not math.isfinite(factor):
            raise ValueError(f"{name} should be a finite number (0 removes it, 1 leaves it as it is), got {factor}.")
    strengths = {"skip_attention": attention, "skip_feed_forward": feed_forward, "branch": branch}
    return type(f"Scaled{block.__name__}", (SCALED[block],), {"__doc__": SCALED[block].__doc__, **strengths})


def weaken_skips(model: nn.Module, attention: float = 1.0, feed_forward: float = 1.0, branch: float = 1.0) -> None:
    """Make the skips of a model weaker in place, trained or not; the numbers are those of `scaled`.

    Raises ValueError if the model has no `PreNorm` and no `PostNorm`.
    """
    blocks = [module for module in model.modules() if type(module) in SCALED]
    if not blocks:
        raise ValueError(f"{type(model).__name__} has no block of the course's kinds (PreNorm, PostNorm).")
    for block in blocks:
        block.__class__ = scaled(type(block), attention, feed_forward, branch)


def keeping_own(share: float, mechanism: Callable = fused) -> Callable:
    """A mechanism that gives every token `share` of its own value and 1 − share of what attention gives it.

    A skip inside attention, behind W_V: the matrix of weights becomes share·I + (1 − share)·A (He et al. 2023,
    2302.10322, who learn both factors). For self-attention alone, where query i and key i are one token.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is a part of the whole, from 0 to 1, got {share}.")

    def attend(q, k, v, visible=None, **change):
        if q.shape[-2] != k.shape[-2]:
            raise ValueError(
                f"There are {q.shape[-2]} queries and {k.shape[-2]} keys, so a query has no value of its own to keep. "
                "Take keeping_own for self-attention without a cache."
            )
        return share * v + (1 - share) * mechanism(q, k, v, visible, **change)

    return attend
