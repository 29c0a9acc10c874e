"""Four small encoders on sentences with a marker: trained plainly, and with three of the remedies."""

from functools import partial

from torch import nn

from attn_course.tasks.marker import split
from attn_course.training.checkpoints import Recipe
from attn_course.training.shortcut_model import make
from attn_course.training.spurious import fit
from attn_course.training.spurious_measures import look

NAMES = {
    "shortcut-plain": "plain",
    "shortcut-pair": "pair loss",
    "shortcut-penalty": "attention penalty",
    "shortcut-penalty-all": "penalty on all rows",
}


def figures(model: nn.Module) -> dict[str, float]:
    """On 240 sentences that were held out; each group has 120 of them, with either marker."""
    found = look(model, split(0))
    return {name: found[name] for name in ("accuracy", "worst group", "flips", "on marker", "uniform")}


RECIPES = {
    name: Recipe(make, partial(lambda model, remedy: fit(model, split(0).known, remedy), remedy=remedy), figures)
    for name, remedy in NAMES.items()
}
