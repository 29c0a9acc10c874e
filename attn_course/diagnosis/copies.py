"""What a call was given and what it gave: its tensors by name, and copies that later changes do not touch."""

import inspect
import weakref
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.attention import Visibility

LONGEST_RULE = 4096  # a visibility for more tokens is not written out: 16 MB of True and False


def by_parameter(function: Callable, args: tuple, kwargs: dict) -> dict:
    """The arguments under the names that the function gives them; by number where it does not say."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return {**{str(number): value for number, value in enumerate(args)}, **kwargs}
    spread = {}
    for name, value in bound.items():
        spread |= value if name == "kwargs" and isinstance(value, dict) else {name: value}
    return spread


def tensors(values: dict) -> dict[str, Tensor | Visibility]:
    """Every tensor and every rule among the values, in tuples, lists and dicts too: "x", "x[0]"."""
    found: dict[str, Tensor | Visibility] = {}
    for name, value in values.items():
        if isinstance(value, Tensor | Visibility):
            found[name] = value
        elif isinstance(value, dict):
            found |= tensors({f"{name}[{key!r}]": inner for key, inner in value.items()})
        elif isinstance(value, list | tuple):
            found |= tensors({f"{name}[{number}]": inner for number, inner in enumerate(value)})
    return found


class Copies:
    """Copies of tensors. What goes out of one module and into the next as it is, is copied once."""

    def __init__(self):
        self.known: dict[int, tuple[weakref.ref, int, Tensor]] = {}

    def of(self, x: Tensor | Visibility | None, beside: dict) -> Tensor | None:
        if x is None:
            return None
        if isinstance(x, Visibility):
            return _written_out(x, beside)
        if x.is_inference():  # such a tensor does not count its changes
            return _copied(x)
        reference, version, copy = self.known.get(id(x), (None, None, None))
        if reference is None or reference() is not x or version != x._version:
            copy = _copied(x)
            self.known[id(x)] = (weakref.ref(x), x._version, copy)
        return copy


def _copied(x: Tensor) -> Tensor:
    x = x.detach()
    x = torch.view_as_real(x) if x.is_complex() else x
    wide = torch.promote_types(x.dtype, torch.float32) if x.is_floating_point() else x.dtype
    return x.to("cpu", wide, copy=True)


def _written_out(rule: Visibility, beside: dict) -> Tensor | None:
    """The rule as True and False, for as many tokens as the tensors beside it have."""
    x = next((x for x in beside.values() if isinstance(x, Tensor) and x.dim() >= 2), None)
    if x is None:
        return None
    n_query = x.shape[2] if x.dim() == 4 else x.shape[1]
    n_key = beside["k"].shape[-2] if x.dim() == 4 and isinstance(beside.get("k"), Tensor) else n_query
    n_key = n_key if rule.length is None else rule.length
    if max(n_query, n_key) > LONGEST_RULE or n_query > n_key:
        return None
    return rule.dense(n_query, n_key, device=x.device).cpu()
