"""Lessons 08 and 09: a text under one head of a model. Who looks at whom, token by token, and the head as a whole."""

import re
from collections.abc import Sequence

import torch
import traitlets
from torch import Tensor

from attn_course.attention import LayerRecord, attention_weights
from attn_course.show.widgets.base import Widget, module, style
from attn_course.show.widgets.packing import packed_head, packed_mask, packed_weights, size

MOST_TOKENS = 1024
MOST_BYTES = 5_000_000  # of base64: MiniLM's 72 heads on 512 tokens stay below
MARKS = re.compile(r"\[(CLS|SEP|PAD)\]|</?s>|<(bos|eos|pad)>|<\|(endoftext|begin_of_text|end_of_text)\|>")
PLAIN = ("the", "cat", "saw", "the", "dog", "and", "the", "dog", "saw", "the", "cat", ".")


def attention_view(
    source, tokens: Sequence[str] | None = None, causal=False, special=None, sequence=0, **state
) -> "AttentionViewWidget":
    """A text under the heads of a model: hover over a token, or choose one with the arrow keys.

    source     a `Reading`, or one entry a layer: a `LayerRecord`, or plain weights (head, query, key), as of a rollout.
               Records are sent as q and k, and the browser computes their weights, to within 0.001 of the model's own;
               weights that q and k alone do not give (a bias, a soft-cap) are sent as they are
    tokens     the text, a word or piece an entry; a `Reading` brings its own
    causal     hide what comes later, where the records do not say so themselves
    special    numbers of the tokens that may be left out; unless given, the first one and marks such as [SEP]
    sequence   which one of a batch
    state      how it opens: layer, head, token, hide, received, overview

    Raises ValueError with one sentence for an empty or too long text, and for tokens that do not fit the heads.
    """
    layers = getattr(source, "layers", source)
    tokens = getattr(source, "tokens", None) if tokens is None else tokens
    if tokens is None:
        raise ValueError("Records do not know their text: attention_view(records, tokens=[…]).")
    return AttentionViewWidget(_text(layers, [str(token) for token in tokens], causal, special, sequence), **state)


def _text(layers, tokens: list[str], causal: bool, special, sequence: int) -> dict:
    """What the browser needs: the tokens, the special ones among them, and each head in few bytes."""
    n = len(tokens)
    if n == 0:
        raise ValueError("The text is empty; give at least one token.")
    if n > MOST_TOKENS:
        raise ValueError(f"The text has {n} tokens, the view holds {MOST_TOKENS}: shorten it.")
    if isinstance(layers, Tensor) or len(layers) == 0:
        raise ValueError("Give a list with one entry for each layer, at least one: a LayerRecord, or its weights.")
    if special is None:
        special = [i for i, token in enumerate(tokens) if i == 0 or MARKS.fullmatch(token)]
    if any(not 0 <= i < n for i in special):
        raise ValueError(f"special holds numbers of tokens, here 0 to {n - 1}; got {list(special)}.")
    masks: list[str] = []
    packed = [_layer(f"layer {i}", layer, n, causal, sequence, masks) for i, layer in enumerate(layers)]
    if len({len(heads) for heads in packed}) > 1:
        raise ValueError(f"All layers should have equally many heads, got {[len(heads) for heads in packed]}.")
    total = sum(size(head) for heads in packed for head in heads) + sum(map(len, masks))
    if total > MOST_BYTES:
        raise ValueError(
            f"{len(packed) * len(packed[0])} heads on {n} tokens take {total / 1e6:.1f} MB, the view holds "
            f"{MOST_BYTES / 1e6:.0f}: give fewer layers, as in reading.layers[:2], or a shorter text."
        )
    return {"tokens": tokens, "special": sorted({int(i) for i in special}), "masks": masks, "layers": packed}


def _layer(name: str, layer, n: int, causal: bool, sequence: int, masks: list[str]) -> list[dict]:
    """The heads of one layer, packed; a mask that is new is added to `masks`."""
    plain = isinstance(layer, Tensor)
    weights = (layer if plain else layer.weights).detach().cpu()
    if weights.dim() == 4:  # (batch, head, query, key)
        if not 0 <= sequence < len(weights):
            raise ValueError(f"sequence should be 0 to {len(weights) - 1}, got {sequence}.")
        weights = weights[sequence]
    if weights.dim() != 3 or weights.shape[1:] != (n, n):
        raise ValueError(f"{name} should have weights (head, {n} queries, {n} keys), got {tuple(weights.shape)}.")
    if not torch.isfinite(weights).all():
        raise ValueError(f"{name} has weights that are NaN or infinite: there is no map to show.")
    past = torch.ones(n, n, dtype=torch.bool).tril() if causal else None
    if plain:
        return [{**packed_weights(own), "mask": _mask(past, masks)} for own in weights]
    visible = None if layer.visible is None else layer.visible[sequence].cpu()
    heads = []
    for h, own in enumerate(weights):
        seen = past if visible is None else visible[h] if past is None else visible[h] & past
        if seen is not None and seen.all():
            seen = None
        q, k = (x[sequence, h].detach().cpu() for x in (layer.q, layer.k))
        packed = packed_head(q, k, layer.scale, seen, own) or packed_weights(own)
        heads.append({**packed, "mask": _mask(seen, masks)})
    return heads


def _mask(seen: Tensor | None, masks: list[str]) -> int | None:
    """The place of this mask in `masks`; None: everybody sees everything."""
    if seen is None:
        return None
    packed = packed_mask(seen)
    if packed not in masks:
        masks.append(packed)
    return masks.index(packed)


def plain_text(words: Sequence[str] = PLAIN) -> dict:
    """Heads that follow a rule each, twice as sharp in the second layer: what is shown when there is no model."""
    return _text([rule_heads(words, 3.0), rule_heads(words, 6.0)], list(words), False, None, 0)


def rule_heads(words: Sequence[str], gain: float) -> LayerRecord:
    """The token before, the token after, the same word, the first token; a place is eight waves that turn."""
    rates = 100.0 ** (-torch.arange(8) / 8)
    before, here, after = (torch.arange(len(words))[:, None] + shift for shift in (-1, 0, 1))
    before, here, after = (torch.cat([(x * rates).cos(), (x * rates).sin()], dim=-1) for x in (before, here, after))
    different = sorted(set(words))
    vectors = torch.randn(len(different), 16, generator=torch.Generator().manual_seed(0))
    same = vectors[[different.index(word) for word in words]]
    first = torch.zeros_like(here)
    first[0] = 1
    q = gain * torch.stack([before, after, same, torch.ones_like(here)])[None]  # (1, head, token, 16)
    k = torch.stack([here, here, same, first])[None]
    weights = attention_weights(q, k)
    return LayerRecord(q, k, k, 16**-0.5, weights, weights @ k, None)


class AttentionViewWidget(Widget):
    """One head of a model on a text. Make one with `attention_view`; without a text it shows rules instead of a model.

    text               tokens, and each head packed
    layer, head        which head, counted from 0
    token              which token asks
    hide               leave the special tokens out as keys, and share what is left among the others
    received           also mark who looks at the token
    overview           what the grid of all heads shows: "maps", "special", "entropy", "distance"
    """

    _esm = module("attention_view_numbers", "attention_view_pictures", "attention_view")
    _css = style("attention_view")

    text = traitlets.Dict().tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    token = traitlets.Int(1).tag(sync=True)
    hide = traitlets.Bool(False).tag(sync=True)
    received = traitlets.Bool(True).tag(sync=True)
    overview = traitlets.Enum(["maps", "special", "entropy", "distance"], default_value="maps").tag(sync=True)

    def __init__(self, text: dict | None = None, **state):
        text = plain_text() if text is None else text
        super().__init__(text=text, **{"token": min(1, len(text["tokens"]) - 1), **state})

    @traitlets.validate("layer", "head", "token")
    def _there(self, proposal):
        layers = self.text["layers"]
        counts = {"layer": len(layers), "head": len(layers[0]), "token": len(self.text["tokens"])}
        count = counts[proposal.trait.name]
        if not 0 <= proposal.value < count:
            raise traitlets.TraitError(f"{proposal.trait.name} should be 0 to {count - 1}, got {proposal.value}.")
        return proposal.value

    def describe(self) -> str:
        layers, n = self.text["layers"], len(self.text["tokens"])
        return f"{len(layers)} layers of {len(layers[0])} heads, {n} tokens"
