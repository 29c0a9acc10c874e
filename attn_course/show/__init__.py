"""Every picture of the course: figures, widgets, pages. Nothing below this room draws."""

from attn_course.show.audit import audit
from attn_course.show.figure import figure, show
from attn_course.show.plots import label, reference, visibility, weights_map
from attn_course.show.report import report
from attn_course.show.source import source
from attn_course.show.training import history

__all__ = ["audit", "figure", "history", "label", "reference", "report", "show", "source", "visibility", "weights_map"]
