"""Watch a model run: the vitals of every attention layer at every call, and none of its maps.

with watch(model) as record:
    model(tokens)
record.calls[0].vitals.entropy      # (batch, head, query), in nats

A model of the course or one of the library `transformers`. The model's own code computes every output, so nothing
changes, gradients and dropout included; the vitals are taken beside it from q, k and v, strip by strip.
"""

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import RLock

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from attn_course.attention import MultiHead
from attn_course.attention.option import asks, told
from attn_course.attention.watching import exchanged
from attn_course.diagnosis.gradients import watching_gradients
from attn_course.diagnosis.hidden import watching_hidden
from attn_course.diagnosis.keeping import Call, Keeper, as_kept, in_backward
from attn_course.diagnosis.record import Record
from attn_course.diagnosis.watch_library import attention_layers, outside_the_interface, watching_library
from attn_course.training.nonfinite import looking_for_nonfinite


@contextmanager
def watch(
    model: nn.Module,
    *,
    token_sets: dict | None = None,
    tokens: list[list[str]] | None = None,
    keep: Bool[Tensor, "batch token"] | None = None,
    sample: int | None = 64,
    seed: int = 0,
    hidden: bool = False,
    gradients: bool = False,
    progress: Callable[[], object] | None = None,
) -> Iterator[Record]:
    """While open, every call of every attention layer of `model` adds an entry to the record that is yielded.

    model       a model of the course or of `transformers`, or what `models.pretrained.load` gives
    token_sets  name → the numbers of the keys, or True/False of shape (key,) or (batch, key). While a text is being
                written a set goes on to mean the same tokens; a call whose keys it does not fit is noted, without it
    tokens      the text, kept in the record for those who read it
    keep        True for the tokens of a text, False for padding (an attention mask of 1 and 0 will do): padding then
                counts as a query that sees nothing. Without it, padding that may look is a query as any other
    sample      how many query rows to keep the weights of, and to take sparsity, coverage, window and similarity on;
                drawn with `seed`. None: all; 0: none
    hidden      keep the vitals of the hidden states after each block too
    gradients   keep the gradients of each layer too, when a loss is taken back through the model
    progress    called after each entry

    Watches may be nested; each keeps a record of its own. What the model computes anew on the way back (gradient
    checkpointing) is not entered twice, and a compiled model runs uncompiled meanwhile. A copy of the model made
    meanwhile is not watched. Afterwards, and after an exception too, the model is as it was.

    What could not be watched stands in `record.notes`, in sentences. Raises ValueError if no layer of the model can be
    watched, if none was although the model ran, and for a token set that fits no layer; TypeError for no model at all.
    """
    name, model = _unwrapped(model)
    _check(name, model, sample, tokens)
    record = Record(name, tokens=tokens, token_sets=dict(token_sets or {}))
    keeper = Keeper(record, sample, seed, as_kept(keep), _reads_two_texts(model), progress)
    own = {path: layer for path, layer in model.named_modules() if isinstance(layer, MultiHead)}
    library = attention_layers(model)
    layers = own | library
    left_out = outside_the_interface(model, layers)
    if not layers:
        raise ValueError(_why_not(name, left_out))
    if left_out:
        keeper.note(f"Not watched, for they have their own way to attend: {_some(left_out)}.")
    ran: set[bool] = set()
    with ExitStack() as stack:
        stack.enter_context(_uncompiled(model))
        stack.enter_context(_noticing(model, ran))
        stack.enter_context(_watching_own(own, keeper))
        stack.enter_context(watching_library(library, keeper))
        stack.enter_context(_first_not_finite(model, record))
        if hidden:
            stack.enter_context(watching_hidden(model, list(layers), record, keeper.kept))
        if gradients:
            stack.enter_context(watching_gradients(model, record))
        yield record
    _after(name, layers, record, bool(ran), keeper.passed_by)
    keeper.finish()


def _check(name: str, model: nn.Module, sample, tokens) -> None:
    if sample is not None and (not isinstance(sample, int) or isinstance(sample, bool) or sample < 0):
        raise ValueError(f"sample counts query rows: a whole number from 0 up, or None for all; got {sample!r}.")
    if tokens is not None and any(isinstance(text, str) for text in tokens):
        raise ValueError("tokens is a list of texts, each a list of its tokens: tokens=[[…]] for one text.")
    if any(weight.is_meta for weight in model.parameters()):
        raise ValueError(f"{name} is on the meta device, which holds shapes and no numbers: load its weights first.")


def _unwrapped(model) -> tuple[str, nn.Module]:
    """A name for the record, and the module itself: out of a model with its tokenizer, or a compiled one."""
    if not isinstance(model, nn.Module) and isinstance(getattr(model, "model", None), nn.Module):
        return getattr(model, "name", type(model).__name__), _unwrapped(model.model)[1]
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"watch wants a model: a torch module, or what attn_course.models.pretrained.load gives; got {model!r:.60}."
        )
    model = getattr(model, "_orig_mod", model)
    return type(model).__name__, model


def _reads_two_texts(model: nn.Module) -> bool:
    """An encoder and a decoder: what is said of the tokens is said of one of their two texts."""
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        return True
    return hasattr(model, "encoder") and hasattr(model, "decoder")


@contextmanager
def _watching_own(layers: dict[str, MultiHead], keeper: Keeper) -> Iterator[None]:
    """The course's layers: their mechanism is exchanged for one that calls it, and keeps what it was given."""
    crossing: dict[str, bool] = {}  # looks at a memory in this call?

    def look(path: str) -> Callable:
        def hook(layer, args, kwargs):
            crossing[path] = (len(args) > 1 and args[1] is not None) or kwargs.get("memory") is not None

        return hook

    handles = [layer.register_forward_pre_hook(look(path), with_kwargs=True) for path, layer in layers.items()]
    try:
        with exchanged(layers, lambda path, mechanism: _Beside(path, mechanism, keeper, crossing)):
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Beside:
    """A layer's mechanism, and its vitals beside it. Copied with its model, it is the mechanism alone."""

    def __init__(self, path: str, mechanism: Callable, keeper: Keeper, crossing: dict[str, bool]):
        self.path, self.mechanism, self.keeper, self.crossing = path, mechanism, keeper, crossing
        told(self, mechanism)

    def __call__(self, q, k, v, visible=None, **change):
        output = self.mechanism(q, k, v, visible, **change)
        if not in_backward():
            kind = "cross" if self.crossing.get(self.path) else "self"
            with torch.no_grad():
                asked = asks(self.mechanism, q, k, v, visible, **change)
            if asked is None:
                self.keeper.pass_by(self.path)
            else:
                said = asked.pop("said", None)
                self.keeper.keep(Call(self.path, kind, output=output, **asked), said)
        return output

    def __deepcopy__(self, memo: dict) -> Callable:
        return copy.deepcopy(self.mechanism, memo)


@contextmanager
def _first_not_finite(model: nn.Module, record: Record) -> Iterator[None]:
    """Note the first of the leaves and of the blocks whose output is not finite."""
    blocks = {id(block) for stack in model.modules() if isinstance(stack, nn.ModuleList) for block in stack}
    layers = [
        (path, layer)
        for path, layer in model.named_modules()
        if id(layer) in blocks or next(layer.children(), None) is None
    ]

    def say(path: str, layer: nn.Module, given: tuple) -> str:
        if record.first_not_finite is None:  # or attention itself made one
            record.first_not_finite = path or type(layer).__name__
        return record.first_not_finite

    with looking_for_nonfinite(layers, [], say):
        yield


@contextmanager
def _noticing(model: nn.Module, ran: set[bool]) -> Iterator[None]:
    """Did any part of the model run to its end?"""

    def notice(own: nn.Module) -> Callable:
        def hook(layer, *_):
            if layer is own:  # and not a copy of it, which took the hook along
                ran.add(True)

        return hook

    handles = [layer.register_forward_hook(notice(layer)) for layer in model.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _uncompiled(model: nn.Module) -> Iterator[None]:
    """Compiled code keeps calling what it was compiled with; it is set aside while any watch is open.

    Not so flex_attention's, which is a kernel and nothing else: uncompiled, it would write the whole map out.
    """
    configs = [getattr(layer, "config", None) for layer in model.modules()]
    flex = any(getattr(config, "_attn_implementation", None) == "flex_attention" for config in configs)
    if "torch._dynamo" not in sys.modules or flex:
        yield
        return
    with _CHANGING:
        if not _SET_ASIDE:
            _SET_ASIDE.append(torch.compiler.set_stance("force_eager"))
        _SET_ASIDE.append(None)
    try:
        yield
    finally:
        with _CHANGING:
            _SET_ASIDE.pop()
            if len(_SET_ASIDE) == 1:  # the last watch that is open
                _SET_ASIDE.pop().__exit__(None, None, None)


_SET_ASIDE: list = []  # the stance that is set, and one entry for each open watch
_CHANGING = RLock()


def _after(name: str, layers: dict[str, nn.Module], record: Record, ran: bool, passed_by: set[str]) -> None:
    if not ran:
        record.notes.append(f"{name} did not run while it was watched.")
        return
    called = set(record.layers) | passed_by
    silent = [path for path in layers if path not in called]
    if not called:
        reasons = " ".join(("", *record.notes))
        raise ValueError(f"{name} ran, but no call of its attention could be watched: {_some(silent)}.{reasons}")
    if silent:
        record.notes.append(f"Never called while watched: {_some(silent)}.")


def _why_not(name: str, left_out: list[str]) -> str:
    if left_out:
        return (
            f"{name} computes its attention in a way of its own ({_some(left_out)}): neither in a MultiHead of the "
            f"course nor through the attention interface of {_library()}, so it cannot be watched. Models such as "
            "GPT-2 and Llama can."
        )
    return (
        f"{name} has no attention layer that can be watched: neither a MultiHead of the course nor one of the library "
        "transformers."
    )


def _library() -> str:
    """With its version: which models use the interface depends on it."""
    return (
        f"transformers {sys.modules['transformers'].__version__}" if "transformers" in sys.modules else "transformers"
    )


def _some(paths: list[str], most: int = 4) -> str:
    rest = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(path or "the model itself" for path in paths[:most]) + rest
