"""Lesson 04: all heads of a model on a sentence, each coloured by how well it follows a rule without a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import traitlets
from jaxtyping import Float
from torch import Tensor

from attn_course.show.widgets.base import Widget, module, style

SPECIAL = frozenset({"[CLS]", "[SEP]", "<s>", "</s>", ".", ",", "!", "?"})
FAR = 8  # tokens: the longest distance that the rule can have


@dataclass(frozen=True)
class Maps:
    """All heads on one sentence: its tokens, and the weights of one layer after the other, each (head, query, key)."""

    tokens: Sequence[str]
    layers: Sequence[Float[Tensor, "head query key"]]

    def state(self) -> dict:
        """What the browser needs: weights in whole thousandths. ValueError if tokens and weights do not fit."""
        n = len(self.tokens)
        shapes = {tuple(layer.shape) for layer in self.layers}
        if len(shapes) != 1 or next(iter(shapes))[1:] != (n, n):
            raise ValueError(
                f"Each layer should have weights (head, {n} queries, {n} keys), got {sorted(shapes) or 'no layer'}. "
                "Take one sequence first, as in layer.weights[0]."
            )
        weights = torch.stack([torch.as_tensor(layer) for layer in self.layers]).mul(1000).round().int().tolist()
        return {"tokens": list(self.tokens), "special": [t in SPECIAL for t in self.tokens], "weights": weights}


def plain_heads(tokens: Sequence[str] = tuple("abcdefgh")) -> Maps:
    """Four heads that follow a rule each, twice: what the widget shows when it is given no model."""
    n = len(tokens)
    i, j = torch.arange(n)[:, None], torch.arange(n)[None, :]
    rules = [(j == (i - 1).clamp(min=0)), (j == (i + 1).clamp(max=n - 1)), (j == 0).expand(n, n), (i - j).abs() < 3]
    sharp = torch.stack([rule / rule.sum(-1, keepdim=True) for rule in rules])
    return Maps(tokens, [sharp, 0.5 * sharp + 0.5 / n])


class HeadsWidget(Widget):
    """Every head of a model on one or more sentences of equal shape; one of them drawn, and one token asking.

    sentences              `Maps`, one for each sentence; all of one model
    sentence, layer, head  what is drawn, counted from 0
    token                  which token asks
    rule                   "distance": the key `distance` tokens on; "first": the first key
    words_only             leave out [CLS], [SEP] and punctuation, and share what is left among the words
    """

    _esm = module("heads_numbers", "heads")
    _css = style("heads")

    sentences = traitlets.List(traitlets.Dict()).tag(sync=True)
    sentence = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    token = traitlets.Int(1).tag(sync=True)
    rule = traitlets.Enum(["distance", "first"], default_value="distance").tag(sync=True)
    distance = traitlets.Int(-1, min=-FAR, max=FAR).tag(sync=True)
    words_only = traitlets.Bool(False).tag(sync=True)

    def __init__(self, sentences: Sequence[Maps] = (), **state):
        told = [maps.state() for maps in sentences] or [plain_heads().state()]
        shapes = {(len(s["weights"]), len(s["weights"][0])) for s in told}
        if len(shapes) > 1:
            raise ValueError(f"All sentences should come from one model, got (layers, heads) {sorted(shapes)}.")
        super().__init__(sentences=told, **state)

    @traitlets.validate("sentence", "layer", "head", "token")
    def _there(self, proposal):
        count = self._counts()[proposal.trait.name]
        if not 0 <= proposal.value < count:
            raise traitlets.TraitError(f"{proposal.trait.name} should be 0 to {count - 1}, got {proposal.value}.")
        return proposal.value

    def _counts(self) -> dict[str, int]:
        shown = self.sentences[min(self.sentence, len(self.sentences) - 1)]
        layers, tokens = shown["weights"], shown["tokens"]
        return {
            "sentence": len(self.sentences), "layer": len(layers), "head": len(layers[0]), "token": len(tokens)
        }  # fmt: skip

    def describe(self) -> str:
        n = self._counts()
        sentences = "1 sentence" if n["sentence"] == 1 else f"{n['sentence']} sentences"
        return f"{n['layer']} layers of {n['head']} heads, {sentences}"
