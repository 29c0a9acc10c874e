"""Lesson 07: an induction head as it forms, in two small models, one of which only seems to have one."""

import traitlets

from attn_course.show.widgets.base import Widget, module, style
from attn_course.training.recorded import recorded

MODELS = ("random", "fixed")


class InductionWidget(Widget):
    """One head of a two-layer model at nine moments of its training, on a row of 32 tokens that repeats.

    The models are run in the browser, from weights rounded to 255 levels; the curves were measured when they were
    trained (`attn_course.training.experiments.induction_steps`).

    trained      on rows that repeat after a "random" number of tokens, 4 to 16, or after a "fixed" one, 16
    step         of the training: 0, 100, 200, 260, 300, 340, 400, 500 or 800
    period       after how many tokens the row shown repeats, 4 to 24
    row          which random row: any whole number
    layer, head  what is drawn, counted from 0
    place        which token of the row asks, counted from 0
    framed       "next": what followed this token last time; "before": the token just before
    """

    _esm = module("induction_model", "induction_pictures", "induction")
    _css = style("induction")

    record = traitlets.Dict().tag(sync=True)
    trained = traitlets.Enum(MODELS, default_value="random").tag(sync=True)
    step = traitlets.Int(400).tag(sync=True)
    period = traitlets.Int(12).tag(sync=True)
    row = traitlets.Int(0, min=0).tag(sync=True)
    layer = traitlets.Int(1, min=0, max=1).tag(sync=True)
    head = traitlets.Int(0, min=0, max=3).tag(sync=True)
    place = traitlets.Int(20, min=0, max=31).tag(sync=True)
    framed = traitlets.Enum(["next", "before"], default_value="next").tag(sync=True)

    def __init__(self, **state):
        wanted = ("steps", "measured_at", "periods", "models")
        record = recorded("induction_steps")
        super().__init__(record={name: record[name] for name in wanted}, **state)

    @traitlets.validate("step", "period")
    def _kept(self, proposal):
        known = self.record[f"{proposal.trait.name}s"]
        if proposal.value not in known:
            listed = f"{known[0]} to {known[-1]}" if proposal.trait.name == "period" else ", ".join(map(str, known))
            raise traitlets.TraitError(f"{proposal.trait.name} should be one of {listed}; got {proposal.value}.")
        return proposal.value

    def describe(self) -> str:
        steps = self.record["steps"]
        return f"2 models of 2 layers, {len(steps)} steps from {steps[0]} to {steps[-1]}"
