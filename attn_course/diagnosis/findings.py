"""Every rule by which the doctor finds something, in the order in which findings are told.

A rule is a function from a `Case` to findings: none, if there is nothing to say. Its bounds stand in `thresholds`.
"""

from collections.abc import Callable

from attn_course.diagnosis.case import Case
from attn_course.diagnosis.report import Finding
from attn_course.diagnosis.rules import gradients, heads, learned, numerics, spared, stream, usual

RULES: tuple[Callable[[Case], list[Finding]], ...] = (
    numerics.not_finite,
    numerics.blind_queries,
    numerics.half_precision_overflow,
    numerics.logits,
    heads.entropy_collapse,
    stream.rank_collapse,
    learned.sick_sink,
    learned.underload,
    learned.overload,
    spared.redundant_heads,
    spared.redundant_layers,
    spared.short_window,
    spared.shortcut,
    gradients.starving,
    heads.sharp_heads,
    heads.diluted,
    heads.duplicates,
    stream.idle_blocks,
    stream.massive_activations,
    usual.resting_sinks,
    usual.positional_heads,
)
