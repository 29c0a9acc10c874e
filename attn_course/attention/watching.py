"""Watch a model attend: run it once, and keep what each attention layer was given and what it did.

with watching(model) as records:
    model(tokens)
records[0].weights                  # (batch, head, query, key)

Only the mechanism is exchanged, for the time of the `with`; the outputs do not change. The weights are its own,
whatever code computed them: it is called again with the identity as values, and what comes out is softmax(…)·I. Of an
option (`attention.options`) q, k and scale are what its softmax sees, and the weights are those on the text's own keys.

In the same way a run can be disturbed, to see what depends on what: heads are silenced (`silencing`) or given what they
gave in another run (`patching`), keys are hidden (`hiding`), weights are exchanged for others (`reweighing`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from threading import RLock
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attn_course.attention.heads import MultiHead
from attn_course.attention.option import asks, looks_of, told
from attn_course.attention.visibility import Visibility, padding


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
    records: list[LayerRecord] = []
    with exchanged(layers_of(model), lambda name, mechanism: _recorder(name, mechanism, records)):
        yield records


@contextmanager
def silencing(model: nn.Module, heads: dict[str, list[int]]) -> Iterator[None]:
    """While open, these heads give zeros: `silencing(model, {"blocks.0.attention": [2, 5]})`."""
    with exchanged(_layers_with(model, heads), lambda name, mechanism: _silencer(mechanism, heads[name])):
        yield


@contextmanager
def patching(model: nn.Module, heads: dict[str, list[int]], records: Sequence[LayerRecord]) -> Iterator[None]:
    """While open, these heads give what they gave in another run, whatever they look at in this one.

    with watching(model) as records:
        model(other_tokens)
    with patching(model, {"blocks.0.attention": [2]}, records):
        model(tokens)

    A layer that is called several times takes its records in the order of the calls, and then from the first again.
    A model that is watched meanwhile tells where these heads look in this run, beside the output that they were given.
    Raises ValueError with one sentence for layers or heads that are not there, and for records of another shape.
    """
    layers = _layers_with(model, heads)
    kept = {name: [record.output for record in records if record.name == name] for name in heads}
    with exchanged(layers, lambda name, mechanism: _patcher(name, mechanism, heads[name], kept[name])):
        yield


@contextmanager
def hiding(model: nn.Module, keep: Bool[Tensor, "*batch key"], layers: Collection[str] | None = None) -> Iterator[None]:
    """While open, no query may look at the keys that are not kept, in these layers or in all.

    keep   True for a key that may be looked at, as far as it might before: (key,), or (batch, key) for a batch
    """
    found = layers_of(model) if layers is None else _layers_with(model, dict.fromkeys(layers, ()))
    with exchanged(found, lambda name, mechanism: _hider(mechanism, keep)):
        yield


@contextmanager
def reweighing(model: nn.Module, change: Callable[[str, Tensor], Tensor]) -> Iterator[None]:
    """While open, every layer mixes its values by `change(name, weights)` and not by its weights.

    `change` is given a layer's name and its weights (batch, head, query, key), and returns others of that shape. With
    a change that returns what it was given the outputs stay the same, to the rounding, and the weights are on the
    way from the inputs to the output: a gradient reaches them.
    """
    with exchanged(layers_of(model), lambda name, mechanism: _reweigher(name, mechanism, change)):
        yield


def layers_of(model: nn.Module) -> dict[str, MultiHead]:
    """All attention layers by name; ValueError if there is none."""
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, MultiHead)}
    if not layers:
        raise ValueError(f"{type(model).__name__} has no MultiHead layer, so there is nothing to watch.")
    return layers


def _layers_with(model: nn.Module, heads: Mapping[str, Collection[int]]) -> dict[str, MultiHead]:
    """The layers named; ValueError if one is not there, or has no such head."""
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, MultiHead)}
    for name, numbers in heads.items():
        if name not in layers:
            raise ValueError(f"There is no attention layer {name!r}. There are: {', '.join(layers)}.")
        if not set(numbers) <= set(range(layers[name].heads)):
            raise ValueError(f"{name} has heads 0 to {layers[name].heads - 1}, got {numbers}.")
    return {name: layers[name] for name in heads}


@contextmanager
def exchanged(layers: dict[str, MultiHead], new: Callable[[str, Callable], Callable]) -> Iterator[None]:
    """While open, each of these layers attends with new(its name, what it attends with otherwise).

    Several may be open at a time, and be closed in any order: the layer then attends with what is left of them, built
    anew from its own mechanism, the first opened innermost.
    """
    this = object()
    try:
        for name, layer in layers.items():
            with _CHANGING:
                _OPEN.setdefault(layer, _Exchanges(layer.mechanism)).made[this] = lambda old, name=name: new(name, old)
                _rebuild(layer)
        yield
    finally:
        for layer in layers.values():
            with _CHANGING:
                if layer in _OPEN and _OPEN[layer].made.pop(this, None):
                    _rebuild(layer)


class _Exchanges:
    """A layer's own mechanism, and what was made of it, in the order of opening."""

    def __init__(self, own: Callable):
        self.own = own
        self.made: dict[object, Callable[[Callable], Callable]] = {}


_OPEN: WeakKeyDictionary[MultiHead, _Exchanges] = WeakKeyDictionary()  # beside the layers, so that a copy has none
_CHANGING = RLock()


def _rebuild(layer: MultiHead) -> None:
    exchanges = _OPEN[layer]
    mechanism = exchanges.own
    for make in exchanges.made.values():
        mechanism = make(mechanism)
    layer.__dict__.pop("mechanism", None)
    if mechanism is not exchanges.own or not isinstance(mechanism, nn.Module):
        # Python looks here first: a mechanism with parameters stays registered, it is only not called.
        layer.__dict__["mechanism"] = mechanism
    if not exchanges.made:
        del _OPEN[layer]


def _recorder(name: str, mechanism: Callable, records: list[LayerRecord]) -> Callable:
    def record(q, k, v, visible=None, **change):
        output = mechanism(q, k, v, visible, **change)
        weights = _weights(lambda values: looks_of(mechanism)(q, k, values, visible, **change), v)
        asked = asks(mechanism, q, k, v, visible, **change) or {"scale": change.get("scale")}
        q, k = asked.get("q", q), asked.get("k", k)[..., -k.shape[-2] :, :]  # a key of the option's own stands first
        scale = q.shape[-1] ** -0.5 if asked["scale"] is None else asked["scale"]
        if isinstance(visible, Visibility):
            visible = visible.dense(q.shape[-2], k.shape[-2], device=q.device)
        seen = None if visible is None else visible.expand(weights.shape)
        records.append(LayerRecord(q, k, v, scale, weights, output, seen, name))
        return output

    return told(record, mechanism)


def _weights(
    mix: Callable[[Tensor], Tensor], v: Float[Tensor, "batch head key d_v"]
) -> Float[Tensor, "batch head query key"]:
    """What a mechanism makes of the identity, d_v columns at a time: a kernel may want values as wide as v."""
    n_key, d_v = v.shape[-2:]
    columns = torch.eye(n_key, -(-n_key // d_v) * d_v, dtype=v.dtype, device=v.device)
    pieces = [mix(piece.expand(*v.shape[:-2], -1, -1)) for piece in columns.split(d_v, dim=1)]
    return torch.cat(pieces, dim=-1)[..., :n_key]


def _silencer(mechanism: Callable, numbers: list[int]) -> Callable:
    def silent(call: Callable) -> Callable:
        def silenced(q, k, v, visible=None, **change):
            output = call(q, k, v, visible, **change)
            keep = torch.ones(output.shape[1], dtype=output.dtype, device=output.device)
            keep[numbers] = 0
            return output * keep[:, None, None]

        return silenced

    silenced = told(silent(mechanism), mechanism)
    if hasattr(mechanism, "looks"):
        silenced.looks = silent(mechanism.looks)
    return silenced


def _patcher(name: str, mechanism: Callable, numbers: list[int], kept: list[Tensor]) -> Callable:
    if not kept:
        raise ValueError(f"The records hold no call of {name}. Record a run of this model, by watching(model).")
    taken = cycle(kept)

    def patched(q, k, v, visible=None, **change):
        output = mechanism(q, k, v, visible, **change)
        other = next(taken)
        if other.shape != output.shape:
            raise ValueError(
                f"{name} gives (batch, head, query, d) = {tuple(output.shape)}, the record holds {tuple(other.shape)}. "
                "Take it from a run on as many sequences of the same length."
            )
        mine = torch.zeros(output.shape[1], dtype=torch.bool, device=output.device)
        mine[numbers] = True
        return torch.where(mine[:, None, None], other, output)

    told(patched, mechanism).patched = True
    patched.looks = looks_of(mechanism)  # what comes out is another run's; where these heads look is this run's
    return patched


def _hider(mechanism: Callable, keep: Bool[Tensor, "*batch key"]) -> Callable:
    kept = padding(keep)

    def narrowed(call: Callable) -> Callable:
        def hidden(q, k, v, visible=None, *rest, **change):
            if isinstance(visible, Visibility):
                return call(q, k, v, visible & kept, *rest, **change)
            # A matrix: in cross-attention queries may outnumber keys.
            seen = kept.dense(1, k.shape[-2], device=k.device)
            return call(q, k, v, seen if visible is None else visible & seen, *rest, **change)

        return hidden

    hidden = told(narrowed(mechanism), mechanism)
    for name in {"asked", "looks"} & set(dir(mechanism)):
        setattr(hidden, name, narrowed(getattr(mechanism, name)))
    return hidden


def _reweigher(name: str, mechanism: Callable, change_weights: Callable[[str, Tensor], Tensor]) -> Callable:
    if hasattr(mechanism, "patched"):
        raise ValueError(
            f"{name} is patched, so its weights mix nothing. Open reweighing first, and patching within it."
        )
    if getattr(mechanism, "adds", False):
        raise ValueError(
            f"{name} attends by {type(mechanism).__name__}, which does more than mix values by weights: other weights "
            "would leave that out. Take a model without it."
        )

    def reweighed(q, k, v, visible=None, **change):
        weights = _weights(lambda values: mechanism(q, k, values, visible, **change), v)
        return change_weights(name, weights) @ v

    return reweighed
