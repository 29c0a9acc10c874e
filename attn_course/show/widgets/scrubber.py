"""Part II: a recorded training under one slider. Losses, vitals and maps move together, step by step."""

from collections.abc import Mapping, Sequence

import torch
import traitlets

from attn_course.attention import attention_weights
from attn_course.show.widgets.base import Widget, module, style
from attn_course.show.widgets.recording import recording

LAYERS, TOKENS = 7, 12


def scrubber(
    steps: Sequence[float],
    curves: Mapping[str, Sequence[float]] | None = None,
    maps: Mapping | None = None,
    tokens: Sequence[str] | None = None,
    points: Mapping | None = None,
    runs: Mapping[str, Mapping] | None = None,
    axes: Mapping[str, str] | None = None,
    healthy: Mapping[str, tuple[float, float]] | None = None,
    marks: Mapping[float, str] | None = None,
    step_name: str = "step",
    log: Sequence[str] | None = None,
    **state,
) -> "ScrubberWidget":
    """Drag through the steps of a recorded training, or through the layers of a model.

    steps      which steps were recorded, rising
    curves     a number for each step, by name. NaN and inf are gaps, called diverged where no number follows
    maps       (step, query, key) by name, all of one size: weights, or anything else (then one range serves all)
    tokens     what the rows and columns of the maps, and the points, are called
    points     (step, token, 2) by name: places in a plane that stays the same for all steps
    runs       instead of the three: {"plain": {"curves": …, "maps": …, "points": …}, …}, up to four, of the same steps
    axes       the unit of a curve
    healthy    (low, high) of a curve, drawn as a band; one of them may be infinite
    marks      words for single steps
    step_name  "step", "layer", …
    log        curves with a logarithmic axis; unless given, those that span three decades and never reach zero
    state      how it opens: at, the place in `steps`, from 0 (−1: the last); cell, [query, key]

    Raises ValueError with one sentence for what does not fit together, and for more than 2 MB.
    """
    if runs is not None and (curves or maps or points):
        raise ValueError("Give runs, or curves, maps and points of a single run, not both.")
    single = {"curves": curves, "maps": maps, "points": points}
    told = recording(steps, {"": single} if runs is None else runs, tokens, axes, healthy, marks, step_name, log)
    return ScrubberWidget(told, **state)


def averaging() -> dict:
    """Attention over and over, with nothing beside it: what is shown when there is no training.

    Twelve tokens in a plane are queries, keys and values at once, and each layer puts every token where the mean of
    what it looks at was.
    """
    x = 1.6 * torch.randn(TOKENS, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    weights, places = [], []
    for _ in range(LAYERS):
        weights.append(attention_weights(x[None, None], x[None, None])[0, 0])
        places.append(x)
        x = weights[-1] @ x
    maps, places = torch.stack(weights), torch.stack(places)
    apart = torch.cdist(places, places).flatten(1).mean(-1) * TOKENS / (TOKENS - 1)
    entropy = -torch.special.xlogy(maps, maps).sum(-1).mean(-1)
    curves = {"distance between tokens": apart, "entropy of a row": entropy}
    run = {"curves": curves, "maps": {"weights": maps}, "points": {"tokens": places}}
    units = {"entropy of a row": "nats"}
    return recording(range(LAYERS), {"": run}, list("abcdefghijkl"), units, None, None, "layer", curves.keys() - units)


class ScrubberWidget(Widget):
    """A recording under one slider. Make one with `scrubber`; without a recording it shows tokens that fall together.

    recording  steps, curves, maps and points, packed
    at         which of the steps, counted from 0
    cell       [query, key]: the cell followed in all maps; empty: none
    """

    _esm = module("scrubber_numbers", "scrubber_charts", "scrubber_maps", "scrubber")
    _css = style("scrubber")

    recording = traitlets.Dict().tag(sync=True)
    at = traitlets.Int(0).tag(sync=True)
    cell = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, recording: dict | None = None, **state):
        super().__init__(recording=averaging() if recording is None else recording, **state)

    @classmethod
    def from_history(cls, history, maps=None, **more) -> "ScrubberWidget":
        """The losses of a `History` and what was measured on the way, at the steps at which something was measured.

        The loss shown is the mean since the step before; `more` goes to `scrubber`.
        """
        steps = sorted({step for pairs in history.measured.values() for step, _ in pairs})
        if not steps:
            raise ValueError("Nothing was measured in this training: give train(…) a measure, with every=… steps.")
        starts = [0, *steps]
        means = [history[start : max(step, start + 1)] for start, step in zip(starts, steps, strict=False)]
        curves = {"loss": [sum(losses) / len(losses) if losses else None for losses in means]}
        for name, pairs in history.measured.items():
            curves[name] = [dict(pairs).get(step) for step in steps]
        return scrubber(steps, curves, maps, **{**more, "axes": {"loss": "nats", **more.get("axes", {})}})

    @traitlets.validate("at")
    def _recorded(self, proposal):
        count = len(self.recording["steps"])
        if not -count <= proposal.value < count:
            raise traitlets.TraitError(f"at should be 0 to {count - 1}, or −1 for the last; got {proposal.value}.")
        return proposal.value % count

    @traitlets.validate("cell")
    def _there(self, proposal):
        maps, cell = self.recording["maps"], proposal.value
        if cell and not (maps["names"] and len(cell) == 2 and self._inside(*cell)):
            raise traitlets.TraitError(f"cell should be [query, key] of a map, or empty; got {cell}.")
        return cell

    def _inside(self, query: int, key: int) -> bool:
        return 0 <= query < self.recording["maps"]["queries"] and 0 <= key < self.recording["maps"]["keys"]

    def describe(self) -> str:
        told = self.recording
        steps, parts = told["steps"], []
        for count, one, many in (
            (len(told["runs"]), "run", "runs"),
            (len(told["curves"]), "curve", "curves"),
            (len(told["maps"]["names"]), "map", "maps"),
            (len(told["points"]["names"]), "cloud", "clouds"),
        ):
            if count > (1 if one == "run" else 0):
                parts.append(f"{count} {one if count == 1 else many}")
        moments = (
            f"{told['step_name']} {steps[0]:g} to {steps[-1]:g}"
            if len(steps) > 1
            else f"{told['step_name']} {steps[0]:g}"
        )
        return f"{', '.join(parts)}; {len(steps)} moments, {moments}"
