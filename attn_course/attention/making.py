"""From what a model was given as its mechanism to what one layer attends with.

A plain function has no parameters, so every layer may call the same one. What has parameters is needed once a layer,
and a model that is built of layers is given the way to make one:

    mechanism=attention                             a function: called as it is
    mechanism=NullKey                               a class: each layer makes NullKey(heads, d_head)
    mechanism=partial(QKNorm, gain=4.0)             the same with an argument of yours
    mechanism=lambda: NullKey(heads=4)              whatever takes nothing: each layer calls it once
"""

import functools
import inspect
from collections.abc import Callable

from torch import nn

from attn_course.attention.option import Option


def made(mechanism: Callable, heads: int, d_head: int) -> Callable:
    """The mechanism of one layer: made anew if it is a class or a maker, and as it is if it attends already.

    Raises TypeError with one sentence for what cannot be called.
    """
    if _makes_from_sizes(mechanism):
        given = getattr(mechanism, "keywords", {})
        sizes = {"heads": heads, "d_head": d_head}
        mechanism = mechanism(**{name: size for name, size in sizes.items() if name not in given})
    elif _takes_nothing(mechanism):
        mechanism = mechanism()
    if not callable(mechanism):
        raise TypeError(
            f"A mechanism is called as mechanism(q, k, v, visible); got {type(mechanism).__name__}. Give a function, "
            "an option's class, or a maker such as lambda: NullKey(heads=4)."
        )
    return mechanism


def check_shared(mechanism: Callable, layers: int) -> None:
    """Raise ValueError for one option with parameters that several layers would share unasked."""
    if layers > 1 and isinstance(mechanism, Option) and next(mechanism.parameters(), None) is not None:
        name = type(mechanism).__name__
        raise ValueError(
            f"This {name} has parameters, and {layers} layers would share them. Give the class or a maker, so that "
            f"each layer has its own: mechanism={name}, or mechanism=lambda: {name}(…)."
        )


def _makes_from_sizes(mechanism) -> bool:
    """A class, or a `partial` of one."""
    return isinstance(getattr(mechanism, "func", mechanism), type) and not isinstance(mechanism, nn.Module)


def _takes_nothing(mechanism) -> bool:
    if isinstance(mechanism, nn.Module | functools.partial) or not callable(mechanism):
        return False
    try:
        return not inspect.signature(mechanism).parameters
    except ValueError:  # a function in C, which does not say what it takes
        return False
