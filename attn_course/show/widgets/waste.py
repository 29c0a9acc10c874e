"""Lesson 14: which weights of a head are small, what they hold together, and what its output is without them."""

import math
from collections.abc import Sequence

import traitlets

from attn_course.attention import LayerRecord
from attn_course.models.pretrained import Reading
from attn_course.show.widgets.attention_view import PLAIN, rule_heads
from attn_course.show.widgets.base import Widget, module, style
from attn_course.show.widgets.packing import packed_fine_head, packed_mask, packed_values

MOST_TOKENS = 256
MOST_BYTES = 3_000_000  # of base64


def waste(readings, heads: Sequence[tuple[int, int]], names: Sequence[str] | None = None, **state) -> "WasteWidget":
    """Heads of a model under a threshold: ε takes weights out, and the picture says what goes with them.

    readings   what a model read, a `Reading` or several of different lengths (or models): one is shown at a time
    heads      which heads can be chosen, as (layer, head), counted from 0; of every reading
    names      what the readings are called; unless given, their number of tokens
    state      how it opens: text, head, exponent (log₁₀ ε), even (ε in even shares, 1/n), rescale

    Raises ValueError with one sentence for no reading, no head, a head that is not there, and texts that are too long.
    """
    readings = [readings] if isinstance(readings, Reading) else list(readings)
    if not readings or not heads:
        raise ValueError("Give at least one reading and one head: waste([load().read(text)], heads=[(0, 2)]).")
    if strange := [each for each in heads if not isinstance(each, Sequence) or len(each) != 2]:
        raise ValueError(f"A head is told as (layer, head), as in heads=[(0, 2)]; got {strange[0]!r}.")
    names = [f"{len(reading.tokens)} tokens" for reading in readings] if names is None else list(names)
    if len(names) != len(readings):
        raise ValueError(f"There are {len(readings)} readings and {len(names)} names: give one to each.")
    texts = [_text(name, r.layers, r.tokens, heads) for name, r in zip(names, readings, strict=True)]
    total = sum(
        len(part["codes"]) for text in texts for head in text["heads"] for part in head.values() if _packed(part)
    )
    if total > MOST_BYTES:
        raise ValueError(
            f"These heads take {total / 1e6:.1f} MB, the widget holds {MOST_BYTES / 1e6:.0f}: give fewer of them, or "
            "shorter texts."
        )
    return WasteWidget(texts, **state)


def _text(name: str, layers: Sequence[LayerRecord], tokens: Sequence[str], heads) -> dict:
    n = len(tokens)
    if n > MOST_TOKENS:
        raise ValueError(f"{name} has {n} tokens, the widget holds {MOST_TOKENS}: shorten it.")
    packed = []
    for layer, head in heads:
        if layer not in range(len(layers)) or head not in range(layers[layer].q.shape[1]):
            raise ValueError(f"{name} has no head ({layer}, {head}): give (layer, head), both counted from 0.")
        packed.append(_head(layers[layer], head) | {"name": f"layer {layer}, head {head}"})
    return {"name": name, "tokens": [str(token) for token in tokens], "heads": packed}


def _head(layer: LayerRecord, head: int) -> dict:
    q, k, v, weights = (x[0, head].detach().cpu() for x in (layer.q, layer.k, layer.v, layer.weights))
    seen = None if layer.visible is None else layer.visible[0, head].cpu()
    if seen is not None and seen.all():
        seen = None
    packed = packed_fine_head(q, k, layer.scale, seen, weights)
    if packed is None:
        raise ValueError(
            f"The weights of head {head} are not softmax(QKᵀ·scale): a bias or a soft-cap changes them, which the "
            "widget does not know. Choose another model."
        )
    return {**packed, "v": packed_values(v), "mask": None if seen is None else packed_mask(seen)}


def _packed(part) -> bool:
    return isinstance(part, dict) and "codes" in part


def plain_texts(words: Sequence[str] = PLAIN) -> list[dict]:
    """Heads that follow a rule each: what the widget shows when it is given no model."""
    layers = [rule_heads(words, gain) for gain in (1.0, 3.0)]
    return [_text(f"{n} words", [_first(layer, n) for layer in layers], words[:n], [(1, 0), (0, 2)]) for n in (6, 12)]


def _first(layer: LayerRecord, n: int) -> LayerRecord:
    """The first n tokens of a layer; their weights are those of the shorter text."""
    q, k, v = (x[:, :, :n] for x in (layer.q, layer.k, layer.v))
    weights = (q @ k.mT * layer.scale).softmax(-1)
    return LayerRecord(q, k, v, layer.scale, weights, weights @ v, None)


class WasteWidget(Widget):
    """One head's map with its small weights taken out. Make one with `waste`; without a model it shows rules.

    texts      name, tokens, and the heads that can be chosen, packed
    text, head which one is shown, counted from 0
    exponent   log₁₀ of ε
    even       ε counts in even shares: 1 is what a key gets if all get alike
    rescale    what is left of a row is scaled up until it sums to one again
    """

    _esm = module("attention_view_numbers", "waste_numbers", "waste_pictures", "waste")
    _css = style("waste")

    texts = traitlets.List(traitlets.Dict()).tag(sync=True)
    text = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    exponent = traitlets.Float(-2.0, min=-4.0, max=1.0).tag(sync=True)
    even = traitlets.Bool(False).tag(sync=True)
    rescale = traitlets.Bool(True).tag(sync=True)

    def __init__(self, texts: Sequence[dict] | None = None, **state):
        if texts is not None and not texts:
            raise ValueError(
                "There is no text to show. Make the widget with waste(readings, heads), or leave texts out."
            )
        super().__init__(texts=plain_texts() if texts is None else list(texts), **state)

    @traitlets.validate("text", "head")
    def _there(self, proposal):
        count = len(self.texts) if proposal.trait.name == "text" else len(self.texts[0]["heads"])
        if not 0 <= proposal.value < count:
            raise traitlets.TraitError(f"{proposal.trait.name} should be 0 to {count - 1}, got {proposal.value}.")
        return proposal.value

    @traitlets.validate("exponent")
    def _number(self, proposal):
        if math.isnan(proposal.value):
            raise traitlets.TraitError("exponent is log₁₀ of ε, from −4 to 1; got NaN.")
        return proposal.value

    def describe(self) -> str:
        heads = len(self.texts[0]["heads"])
        return f"{len(self.texts)} texts, {heads} head{'s' if heads > 1 else ''}"
