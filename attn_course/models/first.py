"""FIRST by hand: is the first bit a 1? A question of one token, and yet attention is less sure of it in a long string.

    layer 1, feed-forward    marks the first bit if it is a 1
    layer 2, attention       [CLS] looks for the first bit, and brings home +½ or −½ times the weight that it got

The first bit's score leads by a fixed amount, so its weight is e^s/(e^s + n), and falls like 1/n. With scores that
grow like log n it keeps half of the row at any length.

Source: Chiang and Cholak 2022, arXiv 2202.12172. Their code finds the mark with a bias; this one needs none, so that a
layer norm, which rescales everything but a bias, leaves it as it is.
"""

from collections.abc import Callable

from attn_course.attention import fused
from attn_course.models.constructed import CLS, Constructed, Marks

FEATURES = ("zero", "one", "cls", "first", "pick", "out")


class First(Marks):
    """1 at the first bit, 0 at all others and at [CLS]."""

    def marks(self, at):
        return {"first": (at == 0).long()}


def first(eps: float | None = None, log_n: bool = False, mechanism: Callable = fused) -> Constructed:
    """The model: bits (batch, n) → logit (batch,), above 0 where the first bit is 1. Arguments: `Constructed`."""
    model = Constructed(FEATURES, 1, First, eps, log_n, mechanism)
    mark, look = model.layers
    model.embed(0, "zero")
    model.embed(1, "one")
    model.embed(CLS, "cls")

    # Layer 1. Attention adds nothing. relu(first − zero) is 1 at a first bit that is a 1, and 0 everywhere else.
    model.read(mark.feed_forward.w_1, 0, first=1, zero=-1)
    model.write(mark.feed_forward.w_2, 0, pick=1)

    # Layer 2. [CLS] asks for the first bit, whose value is 1 − ½ or 0 − ½; every other value is 0.
    model.read(look.attention.w_q, 0, cls=1)
    model.read(look.attention.w_k, 0, first=1)
    model.read(look.attention.w_v, 0, pick=1, first=-0.5)
    model.write(look.attention.w_o, 0, out=1)
    if model.mirrored:
        model.keep_only(look.feed_forward, "out")
    model.read(model.answer, 0, out=1)
    return model
