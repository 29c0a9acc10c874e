"""What a model loses without one of its parts, each taken out alone: heads, attention layers, blocks.

costs = head_ablation(model, loss)  # loss: a function of the model → a number, or one for each text
costs["stack.blocks.0.attention"]   # (head,), or (head, text): how much worse it is without each

For any model whose attention the doctor finds (`projections`), the library's too. Importances from gradients are
cheaper, one backward pass for all (`gradients`), and are slopes: what a little less of a head would do. This is the
whole step, and takes a run of the model for each part.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.diagnosis.hidden import block_of, stream_of
from attn_course.diagnosis.projections import OUTPUT, attention_modules, projections

Loss = Callable[[nn.Module], "float | Float[Tensor, 'text']"]
Costs = dict[str, Float[Tensor, "*part_and_text"]]


def head_ablation(model: nn.Module, loss: Loss) -> Costs:
    """Layer → (head,) or (head, text): the loss with that head silent, less the loss of the whole model.

    Raises ValueError with one sentence if the model has no attention layer whose heads are known.
    """
    heads = heads_of(model)
    parts = {
        (name, head): silent_heads(model, {name: [head]}) for name, count in heads.items() for head in range(count)
    }
    found = _without_each(model, loss, parts)
    return {name: torch.stack([found[name, head] for head in range(count)]) for name, count in heads.items()}


def attention_ablation(model: nn.Module, loss: Loss) -> Costs:
    """Layer → a number or (text,): the same with all heads of a layer silent. The bias of its output is left."""
    heads = heads_of(model)
    return _without_each(model, loss, {name: silent_heads(model, {name: range(n)}) for name, n in heads.items()})


def block_ablation(model: nn.Module, loss: Loss) -> Costs:
    """Block → a number or (text,): the same with a block that gives back what it was given."""
    modules = dict(model.named_modules(remove_duplicate=False))
    blocks = {block_of(layer, modules): None for layer in heads_of(model)}
    if None in blocks:
        raise ValueError(f"{type(model).__name__} has attention outside a list of blocks, so none can be skipped.")
    return _without_each(model, loss, {name: skipped(modules[name]) for name in blocks})


def heads_of(model: nn.Module) -> dict[str, int]:
    """How many heads each attention layer has. Raises ValueError if none is known."""
    layers, notes = attention_modules(model)
    found = {name: projections(layer).heads for name, layer in layers.items()}
    if not found or None in found.values():
        why = " ".join(notes) or "None of its layers says how many heads it has."
        raise ValueError(f"{type(model).__name__} has no attention layer whose heads can be told apart. {why}")
    return found


@contextmanager
def silent_heads(model: nn.Module, heads: Mapping[str, Collection[int]]) -> Iterator[None]:
    """While open, these heads of these layers give zeros, as in `attention.silencing`; the library's models too.

    Raises ValueError with one sentence for a layer or a head that is not there.
    """
    there = heads_of(model)
    with ExitStack() as stack:
        for name, gone in heads.items():
            listed = isinstance(gone, Collection)
            if name not in there or not listed or not set(gone) <= set(range(there[name])):
                known = ", ".join(f"{layer} ({count} heads)" for layer, count in there.items())
                asked = list(gone) if listed else f"{gone!r}, which is no list"
                raise ValueError(f"There is no {name!r} with heads {asked}. There are: {known}.")
            stack.callback(_silence(model.get_submodule(name), there[name], gone).remove)
        yield


@contextmanager
def skipped(block: nn.Module) -> Iterator[None]:
    """While open, the block gives back the stream that it was given."""

    def give_back(block, args, kwargs, output):
        before, after = stream_of((*args, *kwargs.values())), stream_of((output,))
        if before is None or after is None or before.shape != after.shape:
            raise ValueError(f"{type(block).__name__} does not turn a stream of tokens into another: it is no block.")
        return before if isinstance(output, Tensor) else tuple(before if each is after else each for each in output)

    hook = block.register_forward_hook(give_back, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


@torch.no_grad()
def _without_each(model: nn.Module, loss: Loss, parts: dict) -> dict:
    whole = torch.as_tensor(loss(model))
    found = {}
    for name, part in parts.items():
        with part:
            found[name] = torch.as_tensor(loss(model)) - whole
    return found


def _silence(layer: nn.Module, heads: int, gone: Collection[int]):
    """A hook that puts zeros in the place of these heads, before they are mixed by the output projection."""

    def silenced(joined: Tensor) -> Tensor:
        keep = torch.ones(heads, dtype=joined.dtype, device=joined.device)
        keep[list(gone)] = 0
        return joined * keep.repeat_interleave(joined.shape[-1] // heads)

    joins = next((getattr(layer, each) for each in OUTPUT if isinstance(getattr(layer, each, None), nn.Module)), None)
    if joins is not None:
        return joins.register_forward_pre_hook(lambda _, args: (silenced(args[0]), *args[1:]))
    # The projection stands outside, as BERT's does: what the layer gives are the heads, side by side.
    return layer.register_forward_hook(
        lambda _, args, out: (silenced(out[0]), *out[1:]) if isinstance(out, tuple) else silenced(out)
    )
