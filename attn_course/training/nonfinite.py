"""Where the first number that is not finite came from: the batch is run again, and every layer's output looked at."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def first_nonfinite(model: nn.Module, run: Callable[[], object]) -> str | None:
    """The first layer of `model` whose output is not finite during `run`, as a clause with its input; else None.

    A layer counts when it has finished, so the innermost is named first: the one that made the number.
    """
    found: list[str] = []
    with torch.no_grad(), looking_for_nonfinite(model.named_modules(), found, _clause):
        try:
            run()
        except (ValueError, FloatingPointError):
            if not found:  # it was not about such numbers
                raise
    return found[0] if found else None


@contextmanager
def looking_for_nonfinite(
    layers: Iterable[tuple[str, nn.Module]], found: list[str], say: Callable[[str, nn.Module, tuple], str]
) -> Iterator[None]:
    """While open, the first layer whose output is not finite goes into `found`, as say(name, layer, input)."""

    def look(name: str, own: nn.Module) -> Callable:
        def hook(layer: nn.Module, given: tuple, output) -> None:
            # A copy of the model, made meanwhile, takes its hooks along: it is not the one that was asked about.
            if layer is own and not found and not all(is_finite(each) for each in _tensors(output)):
                found.append(say(name, layer, given))

        return hook

    handles = [layer.register_forward_hook(look(name, layer)) for name, layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _clause(name: str, layer: nn.Module, given: tuple) -> str:
    who = f"{name or 'the model'} ({type(layer).__name__})"
    sick = [key for key, weight in layer.named_parameters(recurse=False) if not is_finite(weight)]
    if sick:
        return f"{who}, whose {sick[0]} is not finite itself"
    tensors = [each for each in _tensors(given) if each.is_floating_point() and each.numel()]
    if not all(is_finite(each) for each in tensors):
        return f"{who}, whose input was not finite already"
    most = f", the largest number {max(each.abs().max().item() for each in tensors):.2g}" if tensors else ""
    return f"{who}; its input was finite{most}"


def is_finite(x: Tensor) -> bool:
    """Neither NaN nor infinity anywhere in x."""
    if not (x.is_floating_point() or x.is_complex()):
        return True
    # One pass for the usual answer: a sum holds every NaN and infinity. Only a sum that is not finite is looked into.
    total = x.sum(dtype=torch.promote_types(x.dtype, torch.float32))
    return bool(total.isfinite()) or bool(x.isfinite().all())


def _tensors(value) -> Iterator[Tensor]:
    """Every tensor in an output or in arguments, also inside tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)
