"""What all options have in common: they wrap a mechanism, and tell a watcher what its softmax is really asked."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attn_course.attention.formula import attention


class Option(nn.Module):
    """A mechanism around another one, `self.mechanism`.

    A watcher that reads q, k and v at the door would see what the softmax does not. So an option says:

    asked   what the softmax sees: q, k, v, visible, scale and score, and where there are such
            sinks (head,) the logit of a key without value, first_key −1 if a key of its own stands before those of the
            text, gate (batch, head, query, 1) a factor on the output, said: a sentence for the notes.
            None: there is no softmax
    looks   the part of the output that the text's own values make, ungated: with the identity as values, the weights
    adds    whether there is more to the output than that
    """

    adds = False

    def __init__(self, mechanism: Callable = attention):
        super().__init__()
        if isinstance(mechanism, type):
            name = mechanism.__name__
            raise TypeError(f"An option wraps a mechanism that is made already: {name}(heads, d_head), not {name}.")
        self.mechanism = mechanism
        self.adds = self.adds or getattr(mechanism, "adds", False)

    def extra_repr(self) -> str:
        own = getattr(self, "heads", None)
        return "" if own is None else f"heads={own}"

    def asked(self, q, k, v, visible=None, scale=None, score=None) -> dict | None:
        raise NotImplementedError

    def looks(self, q, k, v, visible=None, scale=None, score=None) -> Tensor:
        return self(q, k, v, visible, scale, score)


def asks(mechanism: Callable, q, k, v, visible=None, scale=None, score=None) -> dict | None:
    """What the softmax of a mechanism sees; of one that does not say otherwise, what it is given."""
    if hasattr(mechanism, "asked"):
        return mechanism.asked(q, k, v, visible, scale, score)
    return {"q": q, "k": k, "v": v, "visible": visible, "scale": scale, "score": score}


def looks_of(mechanism: Callable) -> Callable:
    """The call whose output is weights times values and nothing more."""
    return getattr(mechanism, "looks", mechanism)


def told(new: Callable, mechanism: Callable) -> Callable:
    """`new`, a call that stands in for the mechanism, with what the mechanism says of itself."""
    for name in ("asked", "looks", "adds", "patched"):
        if hasattr(mechanism, name):
            setattr(new, name, getattr(mechanism, name))
    return new


def check_heads(name: str, heads: int, q: Tensor, d_head: int | None = None) -> None:
    """Raise ValueError if q has other heads, or other features a head, than an option was made for."""
    if q.dim() < 3 or q.shape[-3] != heads:
        raise ValueError(f"{name} was made for {heads} heads; q (batch, head, query, d_k) has shape {tuple(q.shape)}.")
    if d_head is not None and q.shape[-1] != d_head:
        raise ValueError(f"{name} was made for {d_head} features a head, q has {q.shape[-1]}: {name}(heads, d_head).")


def check_sizes(name: str, heads: int, d_head: int | None = 1) -> None:
    """Raise ValueError for less than one head, or less than one feature in it."""
    for what, size in (("head", heads), ("feature a head", d_head)):
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} needs at least one {what}, a whole number; got {size!r}.")


def wide(q: Tensor) -> torch.dtype:
    """The dtype to compute in: float32 for half precision."""
    return torch.promote_types(q.dtype, torch.float32)
