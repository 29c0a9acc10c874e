"""The whole examination of a model that can be asked: a run under watch, the trials, and one report."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from attn_course.diagnosis.diagnose import diagnose
from attn_course.diagnosis.report import Report
from attn_course.diagnosis.trials.asked import Asked
from attn_course.diagnosis.trials.run import trials
from attn_course.diagnosis.trials.tried import Trials
from attn_course.diagnosis.trusted import how_often_right
from attn_course.diagnosis.watch import watch
from attn_course.diagnosis.weights import unsound

NOTHING = (
    "nothing, for there are no answers here to lose: sinks that are depended on, mass on what is not needed, dilution, "
    "redundant heads and layers, short windows and shortcuts were not tested"
)


def examine(model: nn.Module, asked: Asked, longer: Sequence[Asked] = (), watched: int = 32) -> Report:
    """What is right and wrong with a model, from what it reads and from what its answers cost when things are missing.

    report = examine(model, Asked(tokens, wanted, needed=…, irrelevant=…))

    model    gives scores for tokens, (batch, token, class) or (batch, class): of the course, or of `transformers`
    asked    questions of the kind that it learned; some hundred answers make a cost sure
    longer   the same kind in longer rows, for what happens at length
    watched  so many of the rows are read under `watch`; the trials take all

    The model is in eval mode meanwhile and as it was afterwards. What could not be tested stands in the notes.
    """
    training = model.training
    model.eval()
    try:
        with watch(model, hidden=True) as record, torch.no_grad():
            model(asked.tokens[:watched])
        found = trials(model, asked, longer)
    finally:
        model.train(training)
    report = diagnose(record, unsound(model), found)
    return replace(report, about=report.about | about_trials(found))


def about_trials(found: Trials | None) -> dict[str, str]:
    """For `Report.about`: what was taken away, and how often such an examination is right."""
    if found is None:
        return {"taken away": NOTHING}
    what = "keys, heads, blocks, context" + (", kinds of tokens" if found.swaps else "")
    right = how_often_right()
    said = f"{what}: by the loss of {found.answers:,} answers, {found.loss:.3g} nats (guessing: {found.guess:.3g})"
    return {"taken away": said} | ({"how often right": right} if right else {})
