"""Every rule by which the doctor finds something, in the order in which findings are told.

A rule is a function from a `Case` to findings: none, if there is nothing to say. Its bounds stand in `thresholds`.
"""

from collections.abc import Callable

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Finding
from attn_course.diagnosis.rules import gradients, heads, learned, numerics, spared, stream, usual

Rule = Callable[[Case], list[Finding]]

# What the model was asked (`diagnosis.trials`), and not what it was seen to do: the failures that are learned.
OF_TRIALS: tuple[Rule, ...] = (
    learned.sick_sink,
    learned.underload,
    learned.overload,
    spared.redundant_heads,
    spared.redundant_layers,
    spared.short_window,
    spared.shortcut,
)
RULES: tuple[Rule, ...] = (
    numerics.not_finite,
    numerics.blind_queries,
    numerics.half_precision_overflow,
    numerics.logits,
    heads.entropy_collapse,
    stream.rank_collapse,
    *OF_TRIALS,
    gradients.starving,
    heads.sharp_heads,
    heads.diluted,
    heads.duplicates,
    stream.idle_blocks,
    stream.massive_activations,
    usual.resting_sinks,
    usual.positional_heads,
)
