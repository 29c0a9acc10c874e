"""Fine-tuning: five ways to bend a trained model to a new task. Each gives a copy; the model itself is not touched.

    full(model)                 everything is trained
    head_only(model)            only the readout
    with_lora(model, r)         a thin product beside each linear layer of the blocks     `lora.py`
    with_adapters(model, w)     a small network after each feed-forward                  `adapter.py`
    with_prompt(model, p)       vectors before the tokens                                `prompt.py`

`training.loop.train` trains what is left trainable.
"""

from collections.abc import Sequence
from copy import deepcopy

from torch import nn

from attn_course.training.adapter import with_adapters
from attn_course.training.lora import linear_layers, loras, with_lora
from attn_course.training.prompt import with_prompt

__all__ = ["full", "head_only", "loras", "trainable_share", "with_adapters", "with_lora", "with_prompt"]


def full(model: nn.Module) -> nn.Module:
    """A copy in which every parameter is trained."""
    return deepcopy(model).requires_grad_(True)


def head_only(model: nn.Module, where: Sequence[str] = ("readout", "head", "head.*")) -> nn.Module:
    """A copy in which only the linear layers with these names are trained: the readout."""
    copy = deepcopy(model).requires_grad_(False)
    for layer in linear_layers(copy, where).values():
        layer.requires_grad_(True)
    return copy


def trainable_share(model: nn.Module, of: nn.Module) -> float:
    """Numbers that are trained in `model`, over all numbers in `of`: the model before it was bent."""
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    return trained / sum(each.numel() for each in of.parameters())
