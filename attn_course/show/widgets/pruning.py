"""Lesson 14: heads and layers taken out of two models, and the loss that was recorded without them."""

from collections.abc import Sequence

import traitlets

from attn_course.show.widgets.base import Widget, module, style
from attn_course.training.experiments.waste_layers import best
from attn_course.training.recorded import recorded
from attn_course.training.waste import MODELS

LAYERS = ("blocks", "attention", "feed-forward")
MEASURES = ("cost", "drift", "importance")
FIGURES = ("loss", "drift")
NAMES = {"language": "language model"}
DRIFTS = {"MiniLM": "1 − cosine", "language": "bits a character"}


def told(name: str) -> dict:
    """What the browser needs of one model: its heads by layer, the orders with their curves, and all subsets."""
    heads, layers = recorded("waste_heads")[name], recorded("waste_layers")[name]
    depth = len(layers["influence"]["block"])
    measures = {
        measure: [
            [
                value
                for (layer, _), value in zip(heads["heads"], heads[measure]["choose"], strict=True)
                if layer == number
            ]
            for number in range(depth)
        ]
        for measure in MEASURES
    }
    curves = {
        order: {figure: [row[figure] for row in rows] for figure in ("removed", *FIGURES, "parameters")}
        for order, rows in heads["curves"].items()
    }
    return {
        "name": NAMES.get(name, name),
        "units": {"loss": heads["unit"], "drift": DRIFTS[name]},
        "parameters": layers["parameters"],
        "measures": measures,
        "orders": heads["orders"],
        "curves": curves,
        "influence": {"blocks": layers["influence"]["block"], "attention": layers["influence"]["attention"]},
        "saved": layers["saved"],
        "subsets": {
            what: [
                [row["gone"], {figure: row["held out"][figure] for figure in FIGURES}]
                for row in layers["subsets"][what]
            ]
            for what in LAYERS
        },
        "best": {
            figure: {what: [list(gone) for gone in best(layers["subsets"][what], figure=figure)] for what in LAYERS}
            for figure in FIGURES
        },
    }


class PruningWidget(Widget):
    """Take heads out in an order, or layers by a click: what is left loses so much, and has so many parameters.

    model        which model, counted from 0
    what         "heads", or "blocks", "attention", "feed-forward": what is taken out
    order        of heads: "importance", "ablation", "drift", …, "random 0"
    point        how far along the order, in points of its curve
    gone         the layers that are taken out
    layer, head  the head that is told of
    figure       what the curves show: the "loss", or the "drift" from the whole model
    shade        what colours the heads: "cost", "drift" or "importance"

    Losses are on held-out text, as recorded (`waste_heads`, `waste_layers`); orders were chosen on other text.
    """

    _esm = module("pruning_pictures", "pruning")
    _css = style("pruning")

    models = traitlets.List(traitlets.Dict()).tag(sync=True)
    model = traitlets.Int(0).tag(sync=True)
    what = traitlets.Enum(["heads", *LAYERS], default_value="heads").tag(sync=True)
    order = traitlets.Unicode("ablation").tag(sync=True)
    point = traitlets.Int(0, min=0).tag(sync=True)
    gone = traitlets.List(traitlets.Int()).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    figure = traitlets.Enum(FIGURES, default_value="loss").tag(sync=True)
    shade = traitlets.Enum(MEASURES, default_value="drift").tag(sync=True)

    def __init__(self, models: Sequence[str] = MODELS, **state):
        if isinstance(models, str) or not models or not set(models) <= set(MODELS):
            raise ValueError(f"models should be a list of one or more of {', '.join(MODELS)}; got {models!r}.")
        super().__init__(models=[told(name) for name in models], **state)

    @traitlets.validate("model", "layer", "head")
    def _there(self, proposal):
        found = self.models[min(self.model, len(self.models) - 1)]["measures"]["cost"]
        count = {"model": len(self.models), "layer": len(found), "head": len(found[0])}[proposal.trait.name]
        if not 0 <= proposal.value < count:
            raise traitlets.TraitError(f"{proposal.trait.name} should be 0 to {count - 1}, got {proposal.value}.")
        return proposal.value

    @traitlets.validate("gone")
    def _layers(self, proposal):
        count = max(len(model["saved"]["blocks"]) for model in self.models)
        if strange := [layer for layer in proposal.value if not 0 <= layer < count]:
            raise traitlets.TraitError(f"gone names layers, 0 to {count - 1}; got {strange[0]}.")
        return list(dict.fromkeys(proposal.value))

    @traitlets.validate("order")
    def _known(self, proposal):
        orders = {order for model in self.models for order in model["orders"]}
        if proposal.value not in orders:
            raise traitlets.TraitError(f"order should be one of {', '.join(sorted(orders))}; got {proposal.value!r}.")
        return proposal.value

    def describe(self) -> str:
        return ", ".join(
            f"{model['name']}: {sum(map(len, model['measures']['cost']))} heads, {len(model['saved']['blocks'])} layers"
            for model in self.models
        )
