"""Weights that are no numbers, also where no text came across them."""

from torch import nn

from attn_course.training.nonfinite import is_finite


def unsound(module: nn.Module) -> tuple[str, ...]:
    """The parameters that hold NaN or infinity, in the model's own order.

    Buffers are left out: a mask may hold −∞ and be right. So are parameters that have no numbers yet ("meta").
    """
    return tuple(name for name, weight in module.named_parameters() if not (weight.is_meta or is_finite(weight)))
