"""Smaller models: heads, attention layers or whole blocks taken out for good, and their matrices with them.

smaller = without_heads(model, {"stack.blocks.0.attention": [1, 3]})    # by the layer's name, or by its number: {0: …}

The model that was given stays as it is. What is left computes what the whole model computes with those heads silent
(`attention.silencing`), with fewer numbers: d_head rows of W_Q, W_K and W_V and as many columns of W_O for each head.
"""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.attention import MultiHead
from attn_course.models.attention_only import NoFeedForward
from attn_course.models.blocks import Stack, Stream


def without_heads(model: nn.Module, heads: Mapping[int | str, Collection[int]]) -> nn.Module:
    """A copy without these heads; of a layer without any, the bias of its output is left (`NoHeads`).

    heads   layer → its heads that go, counted from 0, as they stand in this model. A layer by its number, or by the
            name that `silencing` knows it by

    Raises ValueError with one sentence for layers or heads that are not there, and for layers whose heads cannot be
    parted: shared keys, numbers of an option for each head, biases of distance.
    """
    smaller = deepcopy(model)
    blocks = _blocks(smaller, ())
    for number, gone in _by_number(blocks, heads).items():
        layer = blocks[number].attention
        here = range(layer.heads)
        if strange := [head for head in gone if head not in here]:
            raise ValueError(f"Layer {number} has {layer.heads} heads, counted from 0; got {strange}.")
        keep = [head for head in here if head not in gone]
        if len(keep) == layer.heads:
            continue
        if not keep:
            _take_out(blocks[number])
        else:
            _check_parts(number, layer)
            _cut(layer, keep)
    return smaller


def without_attention(model: nn.Module, layers: Collection[int]) -> nn.Module:
    """A copy in which these blocks have no attention left: all heads gone, the feed-forward network kept."""
    blocks = _blocks(model, layers)
    return without_heads(model, {number: range(blocks[number].attention.heads) for number in layers})


def without_blocks(model: nn.Module, numbers: Collection[int]) -> nn.Module:
    """A copy without these blocks: the stream passes from the block before to the block after. At least one is left."""
    smaller = deepcopy(model)
    blocks = _blocks(smaller, numbers)
    kept = [block for number, block in enumerate(blocks) if number not in numbers]
    if not kept:
        raise ValueError(f"All {len(blocks)} blocks would go; leave at least one.")
    smaller.stack.blocks, smaller.stack.layers = nn.ModuleList(kept), len(kept)
    return smaller


def without_feed_forward(model: nn.Module, numbers: Collection[int]) -> nn.Module:
    """A copy in which these blocks have no feed-forward network: nothing is added in its place."""
    smaller = deepcopy(model)
    for block in (_blocks(smaller, numbers)[number] for number in numbers):
        block.feed_forward = NoFeedForward(0, 0)
        if not block.normalises_stream:
            block.norm_feed_forward = nn.Identity()
    return smaller


@dataclass(frozen=True)
class Size:
    """What a model takes up."""

    parameters: int  # learned numbers; shared ones once
    nbytes: int  # of those
    cache_bytes: int  # keys and values that a KV cache keeps for each token


def size(model: nn.Module) -> Size:
    """How large the model is, embeddings included."""
    weights = list(model.parameters())
    kept = (block.attention for block in _blocks(model, ()))
    bytes_per_number = weights[0].element_size()
    cached = sum(2 * layer.kv_heads * layer.d_head for layer in kept) * bytes_per_number
    return Size(sum(each.numel() for each in weights), sum(each.nbytes for each in weights), cached)


class NoHeads(nn.Module):
    """Attention of which no head is left: every token gets the bias of the output, if there is one."""

    heads = kv_heads = d_head = 0

    def __init__(self, bias: Float[Tensor, "d_model"] | None):
        super().__init__()
        self.bias = bias

    def reset_parameters(self) -> None:
        """Begin anew, as torch's layers do by this name: nothing is added."""
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Stream, memory=None, visible=None, cache=None, at=None) -> Stream:
        if cache is not None:  # it keeps count of the tokens that were read
            nothing = x.new_zeros(x.shape[0], 0, x.shape[1], 0)
            cache.extend(nothing, nothing)
        return torch.zeros_like(x) if self.bias is None else self.bias.expand_as(x)


def _by_number(blocks: nn.ModuleList, heads: Mapping[int | str, Collection[int]]) -> dict[int, list[int]]:
    """Layer → its heads that go; a layer that is named twice, by number and by name, loses both lists."""
    numbers = {f"stack.blocks.{number}.attention": number for number in range(len(blocks))}
    found: dict[int, list[int]] = {}
    for layer, gone in heads.items():
        number = numbers.get(layer, layer)
        if number not in range(len(blocks)):
            raise ValueError(f"The model has layers 0 to {len(blocks) - 1}, got {layer!r}.")
        if not isinstance(gone, Collection):
            raise ValueError(f"Of layer {layer!r}, give a list of its heads that go, such as [{gone}]; got {gone!r}.")
        found.setdefault(number, []).extend(gone)
    return found


def _blocks(model: nn.Module, numbers: Collection[int]) -> nn.ModuleList:
    stack = getattr(model, "stack", None)
    if not isinstance(stack, Stack):
        raise ValueError(
            f"{type(model).__name__} is no model of one stack of blocks, as Encoder and GPT are. Of a pretrained one, "
            "give the model inside: load().model."
        )
    if stack.layers != len(stack.blocks):
        raise ValueError("This model runs one block several times: its layers cannot be pruned one by one.")
    if not isinstance(numbers, Collection):
        raise ValueError(f"Give a list of layers, such as [{numbers}]; got {numbers!r}.")
    last = len(stack.blocks) - 1
    if strange := [number for number in numbers if number not in range(last + 1)]:
        raise ValueError(f"The model has layers 0 to {last}, got {strange[0]!r}.")
    return stack.blocks


def _check_parts(number: int, layer: MultiHead) -> None:
    if layer.kv_heads != layer.heads:
        raise ValueError(f"In layer {number} several heads share their keys: take out all of its heads or none.")
    for part in layer.modules():  # its option, and what that wraps; its positions
        if part is not layer and hasattr(part, "heads"):
            raise ValueError(
                f"{type(part).__name__} in layer {number} has numbers of its own for each of {layer.heads} heads, so "
                "single heads cannot be taken out. Silence them instead: attention.silencing."
            )


def _take_out(block: nn.Module) -> None:
    block.attention = NoHeads(block.attention.w_o.bias)
    if not block.normalises_stream:  # its normalisation fed attention alone
        block.norm_attention = nn.Identity()


def _cut(layer: MultiHead, keep: list[int]) -> None:
    d = layer.d_head
    features = torch.cat([torch.arange(head * d, (head + 1) * d) for head in keep])
    features = features.to(layer.w_o.weight.device)
    for projection in (layer.w_q, layer.w_k, layer.w_v):
        projection.weight = _part(projection.weight, features, 0)
        projection.out_features = len(features)
        if projection.bias is not None:
            projection.bias = _part(projection.bias, features, 0)
    layer.w_o.weight = _part(layer.w_o.weight, features, 1)
    layer.w_o.in_features = len(features)
    layer.heads = layer.kv_heads = len(keep)


def _part(numbers: nn.Parameter, places: Tensor, axis: int) -> nn.Parameter:
    return nn.Parameter(numbers.detach().index_select(axis, places), requires_grad=numbers.requires_grad)
