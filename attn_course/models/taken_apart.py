"""Stacks before their first step, with parts taken out: which part is it that keeps tokens apart?

stack = fresh_stack("post-norm", depth=32)
states = through(stack.blocks, x)   # `models.pure`
"""

import math
from functools import partial

import torch
from torch import nn

from attn_course.attention import Learned, fused
from attn_course.models.attention_only import NoFeedForward
from attn_course.models.blocks import PostNorm, PreNorm, Stack
from attn_course.models.encoder import Encoder
from attn_course.models.skips import ReZero, scaled

# What a stack of this depth is made of; blocks are pre-norm unless they say otherwise.
PARTS = {
    "attention alone": lambda depth: {"block": scaled(attention=0), "feed_forward": NoFeedForward},
    "+ feed-forward": lambda depth: {"block": scaled(attention=0, feed_forward=0)},
    "+ feed-forward with a skip": lambda depth: {"block": scaled(attention=0)},
    "+ skip around attention": lambda depth: {"feed_forward": NoFeedForward},
    "the whole block, pre-norm": lambda depth: {"block": PreNorm},
    "the whole block, post-norm": lambda depth: {"block": PostNorm},
    "pre-norm, branches / √depth": lambda depth: {"block": scaled(PreNorm, branch=1 / math.sqrt(depth))},
    "post-norm, branches / √depth": lambda depth: {"block": scaled(PostNorm, branch=1 / math.sqrt(depth))},
    "ReZero": lambda depth: {"block": ReZero},
}


def fresh_stack(parts: str, depth: int, seed: int = 0, d_model: int = 64, heads: int = 4) -> Stack:
    """An untrained stack in float64: all matrices N(0, 1/features in), so that queries and keys have size 1; no biases.

    Raises ValueError with one sentence for parts that are not in `PARTS`, or a depth below 1.
    """
    if parts not in PARTS:
        raise ValueError(f"parts should be one of {', '.join(map(repr, PARTS))}; got {parts!r}.")
    if depth < 1:
        raise ValueError(f"There should be at least one block, got depth={depth}.")
    torch.manual_seed(seed)
    stack = Stack(d_model, heads, depth, mechanism=fused, **PARTS[parts](depth)).double()
    draw_weights(stack)
    return stack


def draw_weights(model: nn.Module, std: float | None = None) -> None:
    """Draw every matrix of `model` anew from N(0, std²), or N(0, 1/features in) if std is None; biases become 0."""
    if std is not None and not std > 0:
        raise ValueError(f"std is a size above 0, got {std}.")
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5 if std is None else std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=1.0 if std is None else std)


def bert_shaped(
    layers: int = 12, seed: int = 0, d_model: int = 768, heads: int = 12, vocabulary: int = 30_522
) -> Encoder:
    """An untrained BERT-base in the course's own blocks: post-norm, all matrices and tables N(0, 0.02²), no biases.

    `Learned` positions carry the vector that BERT adds to every token of a first text.
    """
    if layers < 1:
        raise ValueError(f"There should be at least one layer, got layers={layers}.")
    torch.manual_seed(seed)
    norm = partial(nn.LayerNorm, eps=1e-12)
    positions = Learned(512, d_model)
    model = Encoder(vocabulary, d_model, heads, layers, positions, PostNorm, norm, norm_first=True, mechanism=fused)
    draw_weights(model, std=0.02)
    positions.table.weight.data += 0.02 * torch.randn(d_model)
    return model.eval()
