"""Watch a model attend: run it once, and keep what each attention layer was given and what it did.

with watching(model) as records:
    model(tokens)
records[0].weights                  # (batch, head, query, key)

Only the mechanism is exchanged, for the time of the `with`; the outputs do not change. The weights are its own,
whatever code computed them: it is called again with the identity as values, and what comes out is softmax(…)·I.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attn_course.attention.heads import MultiHead
from attn_course.attention.visibility import Visibility


@dataclass(frozen=True)
class LayerRecord:
    """What one attention layer was given and what it did. Shapes are (batch, head, token, d)."""

    q: Float[Tensor, "batch head query d_k"]
    k: Float[Tensor, "batch head key d_k"]
    v: Float[Tensor, "batch head key d_v"]
    scale: float
    weights: Float[Tensor, "batch head query key"]
    output: Float[Tensor, "batch head query d_v"]  # before the heads are joined
    visible: Bool[Tensor, "batch head query key"] | None  # None: everything
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
            # Python looks here first: a mechanism with parameters stays registered, it is only not called.
            layer.__dict__["mechanism"] = new(name, before[name])
        yield
    finally:
        for name, layer in layers.items():
            layer.__dict__.pop("mechanism", None)
            if not isinstance(before[name], nn.Module):
                layer.__dict__["mechanism"] = before[name]


def _recorder(name: str, mechanism: Callable, records: list[LayerRecord]) -> Callable:
    def record(q, k, v, visible=None, **change):
        output = mechanism(q, k, v, visible, **change)
        weights = _weights(lambda values: mechanism(q, k, values, visible, **change), v)
        scale = change.get("scale")
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        if isinstance(visible, Visibility):
            visible = visible.dense(q.shape[-2], k.shape[-2], device=q.device)
        seen = None if visible is None else visible.expand(weights.shape)
        records.append(LayerRecord(q, k, v, scale, weights, output, seen, name))
        return output

    return record


def _weights(
    mix: Callable[[Tensor], Tensor], v: Float[Tensor, "batch head key d_v"]
) -> Float[Tensor, "batch head query key"]:
    """What a mechanism makes of the identity, d_v columns at a time: a kernel may want values as wide as v."""
    n_key, d_v = v.shape[-2:]
    columns = torch.eye(n_key, -(-n_key // d_v) * d_v, dtype=v.dtype, device=v.device)
    pieces = [mix(piece.expand(*v.shape[:-2], -1, -1)) for piece in columns.split(d_v, dim=1)]
    return torch.cat(pieces, dim=-1)[..., :n_key]


def _silencer(mechanism: Callable, numbers: list[int]) -> Callable:
    def silenced(q, k, v, visible=None, **change):
        output = mechanism(q, k, v, visible, **change)
        keep = torch.ones(output.shape[1], dtype=output.dtype, device=output.device)
        keep[numbers] = 0
        return output * keep[:, None, None]

    return silenced
