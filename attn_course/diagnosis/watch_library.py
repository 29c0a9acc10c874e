"""Watch the attention layers of a model of the library `transformers`.

Its models attend by a function that they look up by name ("eager", "sdpa", …) at every call. While a model is watched,
each of these functions is exchanged for one that calls it, under the same name. So the model's configuration stays as
it is, and with it the mask that it makes: a mask belongs to the name, and under a name that the library's masks do not
know, a left-padded Llama is handed none and is silently wrong.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from torch import Tensor, nn

from attn_course.attention import soft_cap
from attn_course.diagnosis.keeping import Call, Keeper, in_backward
from attn_course.diagnosis.watch_masks import Masks

EAGER = "eager_attention_forward"  # the plain function that each file of models defines for itself
INTERFACE = "ALL_ATTENTION_FUNCTIONS"  # where the others are looked up
MEMORIES = ("key_value_states", "encoder_hidden_states")  # a cross-attention's other text, as the library calls it


def attention_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers of the library that look their attention function up, by their names in the model."""
    return {name: layer for name, layer in model.named_modules() if _namespaces(type(layer))}


def outside_the_interface(model: nn.Module, watched: dict[str, nn.Module]) -> list[str]:
    """Layers that seem to attend in a way of their own: called attention, but neither watched, nor inside or around a
    layer that is."""
    found = []
    for name, layer in model.named_modules():
        if "Attention" not in type(layer).__name__:
            continue
        inside = any(_inside(name, other) for other in (*watched, *found))
        around = any(_inside(other, name) for other in watched)
        if not inside and not around:
            found.append(name)
    return [f"{name} ({type(model.get_submodule(name)).__name__})" for name in found]


def _inside(name: str, other: str) -> bool:
    return not other or name == other or name.startswith(f"{other}.")


@contextmanager
def watching_library(layers: dict[str, nn.Module], keeper: Keeper) -> Iterator[None]:
    """While open, each call of one of these layers is kept."""
    if not layers:
        yield
        return
    watcher = _Watcher(layers, keeper)
    handles = [
        layer.register_forward_pre_hook(watcher.looking(name, layer), with_kwargs=True)
        for name, layer in layers.items()
    ]
    try:
        _EXCHANGED.open(watcher, [space for layer in layers.values() for space in _namespaces(type(layer))])
        yield
    finally:
        _EXCHANGED.close(watcher)
        for handle in handles:
            handle.remove()


class _Exchanged:
    """The library's attention functions, exchanged once for as long as any watch is open; each call is told to all.

    So watches may be closed in any order, and be open in several threads.
    """

    def __init__(self):
        self.changing = RLock()
        self.watchers: tuple[_Watcher, ...] = ()
        self.before: dict[tuple[int, str], tuple[dict, str, Callable, Callable]] = {}

    def open(self, watcher: "_Watcher", spaces: list[dict]) -> None:
        from transformers import AttentionInterface

        with self.changing:
            self.watchers += (watcher,)
            functions = AttentionInterface._global_mapping
            for name in list(functions):
                self._exchange(functions, name, name)
            for space in spaces:
                self._exchange(space, EAGER, "eager")

    def close(self, watcher: "_Watcher") -> None:
        with self.changing:
            self.watchers = tuple(other for other in self.watchers if other is not watcher)
            if self.watchers:
                return
            for place, name, function, ours in self.before.values():
                if place.get(name) is ours:  # or somebody has put another one there meanwhile
                    place[name] = function
            self.before = {}

    def _exchange(self, place: dict, name: str, implementation: str) -> None:
        if (id(place), name) not in self.before:
            ours = self._beside(implementation, place[name])
            self.before[id(place), name] = (place, name, place[name], ours)
            place[name] = ours

    def _beside(self, implementation: str, function: Callable) -> Callable:
        """`function`, and the layer's vitals beside it."""

        @functools.wraps(function)
        def attend(module, query, key, value, attention_mask=None, *args, **kwargs):
            made = function(module, query, key, value, attention_mask, *args, **kwargs)
            if not in_backward():
                given, extra = (query, key, value, attention_mask), kwargs | _named(function, args)
                for watcher in self.watchers:
                    watcher.called(implementation, module, given, made[0], extra)
            return made

        return attend


class _Watcher:
    """What goes on beside the model's own attention function."""

    def __init__(self, layers: dict[str, nn.Module], keeper: Keeper):
        self.names = {id(layer): name for name, layer in layers.items()}
        self.keeper = keeper
        self.masks = Masks()
        self.crossing: dict[str, bool] = {}  # does it look at another text in this call?
        self.read: dict[str, int] = {}  # how many tokens a layer has read of its text

    def looking(self, name: str, own: nn.Module) -> Callable:
        """Before a call: is it a cross-attention?"""
        signature = inspect.signature(own.forward)

        def look(layer: nn.Module, args: tuple, kwargs: dict) -> None:
            given = signature.bind_partial(*args).arguments | kwargs
            memory = any(given.get(memory) is not None for memory in MEMORIES)
            self.crossing[name] = memory or getattr(own, "is_cross_attention", False) is True

        return look

    def called(self, implementation: str, module: nn.Module, given: tuple, made: Tensor, extra: dict) -> None:
        """A layer has attended; if it is one of ours, it is kept."""
        name = self.names.get(id(module))
        if name is not None:
            self.keep(name, implementation, module, given, made, extra)

    def keep(self, name: str, implementation: str, module: nn.Module, given: tuple, made: Tensor, extra: dict) -> None:
        q, k, v, mask = given
        packed = "flash" in implementation and extra.get("cu_seq_lens_q") is not None
        if q.dim() != 4 or packed or extra.get("cache") is not None:
            how = "several texts in one row" if q.dim() == 4 else f"queries of shape {tuple(q.shape)}"
            self.keeper.note(f"{name} was given {how}, which is not understood here: not watched.")
            return
        batch = max(q.shape[0], k.shape[0])
        q, k, v = (x.expand(batch, -1, -1, -1) for x in (q, k, v))
        kind = "cross" if self.crossing.get(name) or q.shape[2] > k.shape[2] else "self"
        causal = extra.get("is_causal")
        causal = getattr(module, "is_causal", True) if causal is None else causal
        window = extra.get("sliding_window")
        seen = self.masks.read(implementation, mask, q.shape[2], k.shape[2], kind, bool(causal), window)
        k, v = k[:, :, : seen.n_key], v[:, :, : seen.n_key]
        position = extra.get("position_bias")
        position = None if position is None else position[..., : seen.n_key]
        cap = extra.get("softcap")
        self.keeper.keep(
            Call(
                name,
                kind,
                q,
                k,
                v,
                made.transpose(1, 2),
                visible=seen.visible,
                scale=extra.get("scaling"),
                score=None if cap is None else soft_cap(cap),
                bias=_sum(position, seen.bias),
                sinks=extra.get("s_aux"),
                dropout=extra.get("dropout") or 0.0,
                first_key=self._first_key(name, q.shape[2], seen.n_key, forgets=window is not None),
            )
        )

    def _first_key(self, name: str, n_query: int, n_key: int, forgets: bool) -> int:
        """The token that key 0 is: above 0 once a layer with a window has dropped the first ones from its cache."""
        before = self.read.get(name, n_key - n_query) if n_query < n_key else 0
        self.read[name] = max(n_key, before + n_query)
        return self.read[name] - n_key if forgets else 0


def _named(function: Callable, args: tuple) -> dict:
    """The arguments after the mask, by their names in the attention function."""
    return dict(zip(list(inspect.signature(function).parameters)[5:], args, strict=False)) if args else {}


def _namespaces(kind: type) -> list[dict]:
    """The globals of those methods of a class that look an attention function up; none: it is no layer of ours."""
    if kind not in _KNOWN:
        spaces = {}
        for parent in kind.__mro__:
            for method in vars(parent).values():
                function = inspect.unwrap(method) if inspect.isfunction(method) else None
                if function is None or EAGER not in function.__globals__:
                    continue
                if INTERFACE in _globals_named(function.__code__):
                    spaces[id(function.__globals__)] = function.__globals__
        _KNOWN[kind] = list(spaces.values())
    return _KNOWN[kind]


_KNOWN: dict[type, list[dict]] = {}
_EXCHANGED = _Exchanged()


def _globals_named(code) -> set[str]:
    inner = [each for each in code.co_consts if inspect.iscode(each)]
    return set(code.co_names).union(*(_globals_named(each) for each in inner))


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
