"""A model taken apart for a moment: keys hidden, heads exchanged, blocks left out, the context cut.

`parts_of(model)` gives the same handles for a model of the course and for one of the library `transformers`. All of
them are context managers; afterwards the model is as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attn_course.attention import MultiHead, Visibility, hiding, sinks, watching, window
from attn_course.attention.option import told
from attn_course.attention.watching import exchanged
from attn_course.diagnosis.trials.library import LibraryParts
from attn_course.diagnosis.watch_library import attention_layers


@dataclass(frozen=True)
class Looked:
    """One layer on one batch, the text's own tokens alone."""

    weights: Float[Tensor, "batch head query key"]
    value_norm: Float[Tensor, "batch head key"]


class Parts:
    """A model of the course."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, MultiHead)}
        self.passes = len(self.layers)  # how often attention is called on the way, once a model has been `looked` at

    @property
    def names(self) -> list[str]:
        return list(self.layers)

    def looked(self, tokens: Tensor) -> list[Looked]:
        """Every layer's weights, as `names`; of a layer that is called several times those of the first call."""
        with watching(self.model) as records, torch.no_grad():
            self.model(tokens)
        n, first, self.passes = tokens.shape[1], {}, len(records)
        for each in records:
            first.setdefault(each.name, Looked(each.weights[:, :, -n:, -n:], each.v[:, :, -n:].norm(dim=-1)))
        return [first[name] for name in self.names]

    @contextmanager
    def hidden(self, keep: Bool[Tensor, "batch key"]) -> Iterator[None]:
        """Nobody looks at the keys that are not kept."""
        registers = getattr(getattr(self.model, "stack", None), "registers", None)
        if registers is not None:
            keep = torch.nn.functional.pad(keep, (len(registers), 0), value=True)
        with hiding(self.model, keep):
            yield

    @contextmanager
    def within(self, w: int) -> Iterator[None]:
        """Nobody looks further back than w tokens, itself included, but at the first token (and at registers)."""
        registers = getattr(getattr(self.model, "stack", None), "registers", None)
        near = window(w) | sinks(1 + (0 if registers is None else len(registers)))
        with exchanged(self.layers, lambda name, mechanism: _narrowed(mechanism, near)):
            yield

    @contextmanager
    def heads(self, layer: int, gives: dict[int, int | None]) -> Iterator[None]:
        """These heads of a layer give what another of it gives, or, with None, nothing."""
        name = self.names[layer]
        with exchanged({name: self.layers[name]}, lambda _, mechanism: _giving(mechanism, gives)):
            yield


def _narrowed(mechanism, near: Visibility):
    def narrow(q, k, v, visible=None, **change):
        if isinstance(visible, Tensor) or visible is None:
            seen = near.dense(q.shape[-2], k.shape[-2], device=q.device)
            return mechanism(q, k, v, seen if visible is None else visible & seen, **change)
        return mechanism(q, k, v, visible & near, **change)

    return told(narrow, mechanism)


def _giving(mechanism, gives: dict[int, int | None]):
    def give(q, k, v, visible=None, **change):
        return regiven(mechanism(q, k, v, visible, **change), gives, dim=1)

    return told(give, mechanism)


def regiven(output: Tensor, gives: dict[int, int | None], dim: int) -> Tensor:
    """The heads' outputs, some of them exchanged."""
    new = output.clone()
    for head, other in gives.items():
        new.select(dim, head).copy_(
            torch.zeros_like(new.select(dim, head)) if other is None else output.select(dim, other)
        )
    return new


def parts_of(model: nn.Module) -> "Parts | LibraryParts":
    """Handles for this model. Raises ValueError with one sentence if it has no attention layer that can be handled."""
    if any(isinstance(layer, MultiHead) for layer in model.modules()):
        return Parts(model)
    layers = attention_layers(model)
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no attention layer that can be taken apart: neither a MultiHead of the course "
            "nor one of the library transformers."
        )
    return LibraryParts(model, layers)


def blocks_of(model: nn.Module, layers: list[str]) -> list[nn.Module]:
    """The blocks around these layers: the nearest modules that stand in a ModuleList."""
    found: dict[int, nn.Module] = {}
    for name in layers:
        pieces = name.split(".")
        for end in range(len(pieces), 0, -1):
            if isinstance(model.get_submodule(".".join(pieces[: end - 1])), nn.ModuleList):
                block = model.get_submodule(".".join(pieces[:end]))
                found[id(block)] = block
                break
    return list(found.values())


@contextmanager
def skipping(block: nn.Module) -> Iterator[None]:
    """The block hands on what it was given."""

    def pass_on(_block, given, made):
        return given[0] if isinstance(made, Tensor) else (given[0], *made[1:])

    handle = block.register_forward_hook(pass_on)
    try:
        yield
    finally:
        handle.remove()
