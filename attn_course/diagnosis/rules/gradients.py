"""What gradients say, if they were watched."""

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Finding, Place
from attn_course.diagnosis.rules import figure, listed
from attn_course.diagnosis.thresholds import STARVING


def starving(case: Case) -> list[Finding]:
    """Queries and keys that learn next to nothing beside values."""
    names = [layer.name for layer in case.layers]
    found = [
        (
            gradient.values["gradient_ratio"],
            Place(layer=names.index(gradient.name)) if gradient.name in names else Place(),
        )
        for gradient in case.gradients
        if gradient.values["gradient_ratio"] is not None and gradient.values["gradient_ratio"] < STARVING
    ]
    if not found:
        return []
    found.sort(key=lambda each: each[0])
    where = tuple(place for _, place in found)
    return [
        Finding(
            name="starving-queries",
            title="Queries and keys that do not learn",
            severity="look",
            sure="likely",
            measured="for one loss a text",
            where=where,
            evidence=f"In {listed(where)}, the gradient of W_Q and W_K is {figure(found[0][0])} of that of W_V. "
            "(The bound is our proposal.)",
            remedy="Where tokens have become alike, or rows are one-hot, no choice among keys matters to the loss: "
            "look at rank and entropy first. Scaled skips and QK-norm bring the gradient back.",
        )
    ]
