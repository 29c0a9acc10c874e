"""Watch a model attend: run it once, and keep what each attention layer was given and what it did.

with watching(model) as records:
    model(tokens)
records[0].weights                  # (batch, head, query, key)

Only the mechanism is exchanged, for the time of the `with`; the outputs do not change.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attn_course.attention.formula import attention_scores
from attn_course.attention.heads import MultiHead


@dataclass(frozen=True)
class LayerRecord:
    """What one attention layer was given and what it did. Shapes are (batch, head, token, d)."""

    q: Float[Tensor, "batch head query d_k"]
    k: Float[Tensor, "batch head key d_k"]
    v: Float[Tensor, "batch head key d_v"]
    scale: float
    weights: Float[Tensor, "batch head query key"]
    output: Float[Tensor, "batch head query d_v"]  # before the heads are joined
    visible: Bool[Tensor, "*batch query key"] | None  # None: everything
    name: str = ""  # of the layer in its model: "blocks.0.attention"


@contextmanager
def watching(model: nn.Module) -> Iterator[list[LayerRecord]]:
    """While open, every `MultiHead` layer in `model` adds a record at each call, in the order of the calls."""
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, MultiHead)}
    if not layers:
        raise ValueError(f"{type(model).__name__} has no MultiHead layer, so there is nothing to watch.")
    records: list[LayerRecord] = []
    with _exchanged(layers, lambda name, mechanism: _recorder(name, mechanism, records)):
        yield records


@contextmanager
def silencing(model: nn.Module, heads: dict[str, list[int]]) -> Iterator[None]:
    """While open, these heads give zeros: `silencing(model, {"blocks.0.attention": [2, 5]})`."""
    layers = dict(model.named_modules())
    for name, numbers in heads.items():
        if not isinstance(layers.get(name), MultiHead):
            known = [other for other, layer in layers.items() if isinstance(layer, MultiHead)]
            raise ValueError(f"There is no attention layer {name!r}. There are: {', '.join(known)}.")
        if not set(numbers) <= set(range(layers[name].heads)):
            raise ValueError(f"{name} has heads 0 to {layers[name].heads - 1}, got {numbers}.")
    with _exchanged({name: layers[name] for name in heads}, lambda name, old: _silencer(old, heads[name])):
        yield


@contextmanager
def _exchanged(layers: dict[str, MultiHead], new: Callable[[str, Callable], Callable]) -> Iterator[None]:
    before = {name: layer.mechanism for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            del layer.mechanism  # torch keeps modules and functions in different places, under one name
            layer.mechanism = new(name, before[name])
        yield
    finally:
        for name, layer in layers.items():
            if hasattr(layer, "mechanism"):
                del layer.mechanism
            layer.mechanism = before[name]


def _recorder(name: str, mechanism: Callable, records: list[LayerRecord]) -> Callable:
    def record(q, k, v, visible=None, **change):
        output = mechanism(q, k, v, visible, **change)
        # Given the identity as values, a mechanism hands back its weights: its own, whatever code computed them.
        one_hot = torch.eye(k.shape[-2], dtype=v.dtype, device=v.device).expand(*v.shape[:-2], -1, -1)
        weights = mechanism(q, k, one_hot, visible, **change)  # (batch, head, query, key)
        seen = None if visible is None else ~attention_scores(q, k, visible, **change).isneginf()
        scale = change.get("scale") or q.shape[-1] ** -0.5
        records.append(LayerRecord(q, k, v, scale, weights, output, seen, name))
        return output

    return record


def _silencer(mechanism: Callable, numbers: list[int]) -> Callable:
    def silenced(q, k, v, visible=None, **change):
        output = mechanism(q, k, v, visible, **change)
        keep = torch.ones(output.shape[1], dtype=output.dtype, device=output.device)
        keep[numbers] = 0
        return output * keep[:, None, None]

    return silenced
