"""PARITY by hand: is the number of ones odd? Two layers that are right at any length, and ever less sure of it.

    layer 1, attention       an even average over all tokens: the share of ones, k/n, and one token's share, 1/n
    layer 1, feed-forward    from i/n, k/n and 1/n: which token stands at place k? It gets 1/n, all others get 0
    layer 2, attention       [CLS] looks at the even places with one head, at the odd with the other: even − odd says
                             whether k is odd, for one of them gives the token at place k a little more weight

Places begin at 0, and n counts [CLS], which stands behind the bits: so there is a token at place k whatever k is. It
carries 1/n and has a share of about 1/n of each row, and the logit is about ±2 tanh(score)/n²: right for every string,
and as good as nothing for a long one. A layer norm after it divides that size away.

Source: Chiang and Cholak 2022, arXiv 2202.12172.
"""

from collections.abc import Callable

from attn_course.attention import fused
from attn_course.models.constructed import CLS, Constructed, Marks

# Ten features, as in the authors' code: with d_head = 5 the scores of layer 2 are ±1/√5. The last one stays empty.
FEATURES = ("zero", "one", "cls", "place", "sign", "share", "unit", "pick", "out", "free")


class PlaceAndSign(Marks):
    """i/n, which says where a token stands, and (−1)^i, which says whether that is an even place."""

    def marks(self, at):
        return {"place": at.double() / at.shape[-1], "sign": 1 - 2 * (at % 2)}


def parity(eps: float | None = None, log_n: bool = False, mechanism: Callable = fused) -> Constructed:
    """The model: bits (batch, n) → logit (batch,), above 0 where the ones are odd. Arguments: `Constructed`."""
    model = Constructed(FEATURES, 2, PlaceAndSign, eps, log_n, mechanism)
    count, compare = model.layers
    model.embed(0, "zero")
    model.embed(1, "one")
    model.embed(CLS, "cls")

    # Layer 1. Queries and keys stay zero: all scores are equal, and every token averages over the whole string.
    model.read(count.attention.w_v, 0, one=1)
    model.read(count.attention.w_v, 1, cls=1)
    model.write(count.attention.w_o, 0, share=1)  # k/n
    model.write(count.attention.w_o, 1, unit=1)  # 1/n, for there is one [CLS]
    # A tent of three ReLUs over place − share: 1/n at i = k, and 0 at every other whole number.
    model.read(count.feed_forward.w_1, 0, share=1, place=-1, unit=-1)
    model.read(count.feed_forward.w_1, 1, share=1, place=-1)
    model.read(count.feed_forward.w_1, 2, share=1, place=-1, unit=1)
    for column, factor in enumerate((1, -2, 1)):
        model.write(count.feed_forward.w_2, column, pick=factor)

    # Layer 2. [CLS] asks; head 0 prefers even places, head 1 odd ones; both bring home how much of `pick` they saw.
    for head, sign in enumerate((1, -1)):
        row = head * compare.attention.d_head
        model.read(compare.attention.w_q, row, cls=1)
        model.read(compare.attention.w_k, row, sign=sign)
        model.read(compare.attention.w_v, row, pick=1)
        model.write(compare.attention.w_o, row, out=-sign)  # odd − even
    if model.mirrored:
        model.keep_only(compare.feed_forward, "out")  # or the last norm would measure `out` against all the rest
    model.read(model.answer, 0, out=1)
    return model
