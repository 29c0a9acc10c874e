"""Shapes that are checked, and explained in one sentence when they are wrong.

A signature such as `q: Float[Tensor, "*batch query d_k"]` is read by jaxtyping and checked by beartype at every call.
Their verdict is right but long; `shaped` turns it into the sentence that a learner needs.
"""

import functools
import inspect
import typing
from types import NoneType

from beartype import beartype
from beartype.door import is_bearable
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from attn_course.attention.contents import check_contents

# Why two arguments have to agree on an axis: said when they do not.
REASONS = {
    "d_k": "Scores are dot products, so both need the same d_k.",
    "key": "Every key carries one value, so there must be as many values as keys.",
    "query": "They must speak of the same queries.",
}


def shaped(function):
    """Check shapes, dtypes, devices and NaN at each call of `function`; ValueError or TypeError with one sentence."""
    signature = inspect.signature(function)
    declared = {name for name, kind in function.__annotations__.items() if hasattr(_tensor_of(kind), "dim_str")}
    declared -= {"return"}

    @functools.wraps(function)
    def with_sound_contents(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        check_contents({name: value for name, value in given.items() if name in declared and value is not None})
        return function(*args, **kwargs)

    checked = jaxtyped(typechecker=beartype)(with_sound_contents)

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            return checked(*args, **kwargs)
        except TypeCheckError:
            complaint = explain(signature.bind(*args, **kwargs).arguments, function.__annotations__)
            if complaint is None:  # not an argument's fault: let the full report through
                raise
        # Outside the except block, so that the sentence is not followed by the report it replaces.
        raise complaint

    return call


def explain(given: dict, annotations: dict) -> Exception | None:
    """The first argument that breaks its declaration, as an exception with one sentence; None if all keep it."""
    sizes: dict[str, tuple[int, str]] = {}  # axis name → (size, argument that set it)
    tensors = {name: value for name, value in given.items() if isinstance(value, Tensor)}
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in tensors.items())
    for name, value in given.items():
        declared = annotations.get(name)
        if value is not None:
            declared = _tensor_of(declared)
        dims = getattr(declared, "dim_str", None)
        if dims is None:
            if not is_bearable(value, declared):
                return TypeError(f"{name} should be {_words(declared)}, got {_a(type(value).__name__)}.")
            continue
        if not isinstance(value, Tensor):
            return TypeError(f"{name} should be a torch tensor of shape ({_commas(dims)}), got {type(value).__name__}.")
        kind = declared.dtype.__name__
        if not isinstance(value, declared):
            own = _own_fault(name, value, dims, kind)
            if own is not None:
                return own
        names = [dim for dim in dims.split() if not dim.startswith(("*", "..."))]
        for axis, size in zip(names, value.shape[len(value.shape) - len(names) :], strict=True):
            if axis in sizes and sizes[axis][0] != size:
                before, other = sizes[axis]
                reason = REASONS.get(axis, f"Both call this axis {axis}.")
                return ValueError(f"{other} has {before} for {axis}, {name} has {size}. {reason} Shapes: {shapes}.")
            sizes.setdefault(axis, (size, name))
        lead = tuple(value.shape[: len(value.shape) - len(names)])
        if dims.startswith("*"):
            if "*" in sizes and sizes["*"][0] != lead:
                before, other = sizes["*"]
                return ValueError(
                    f"The leading axes of {other} are {before}, those of {name} {lead}; batch and head must agree. "
                    f"Shapes: {shapes}."
                )
            sizes.setdefault("*", (lead, name))
    return None


def _tensor_of(annotation):
    """The tensor of `Float[Tensor, "…"] | None`; any other annotation as it is."""
    options = [option for option in typing.get_args(annotation) if hasattr(option, "dim_str")]
    return options[0] if len(options) == 1 else annotation


def _own_fault(name: str, value: Tensor, dims: str, kind: str) -> Exception | None:
    """What is wrong with this tensor whatever the others are: its dtype, or its number of axes."""
    if kind == "Float" and not value.dtype.is_floating_point:
        return TypeError(
            f"{name} holds {str(value.dtype).removeprefix('torch.')} numbers; attention needs floating point. "
            f"Convert it first: {name}.float()."
        )
    least = len([dim for dim in dims.split() if not dim.startswith(("*", "..."))])
    if value.dim() < least:
        return ValueError(
            f"{name} has shape {tuple(value.shape)}, which is {value.dim()} axes; it needs at least {least}: "
            f"({_commas(dims)})."
        )
    return None


def _commas(dims: str) -> str:
    return ", ".join("…" if dim.startswith(("*", "...")) else dim for dim in dims.split())


def _words(declared) -> str:
    """A type in words: `float | None` is "float, or left out"."""
    options = [option for option in typing.get_args(declared) or (declared,) if option is not NoneType]
    names = [getattr(option, "__name__", "a function") for option in options]
    return " or ".join(_a(name) for name in names) + (", or left out" if NoneType in typing.get_args(declared) else "")


def _a(name: str) -> str:
    return name if name.startswith("a ") else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
