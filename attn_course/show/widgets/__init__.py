"""Widgets that compute in the browser: alive in a notebook, and on a page with neither kernel nor network."""

from attn_course.show.widgets.attention_view import AttentionViewWidget, attention_view
from attn_course.show.widgets.collapse import CollapseWidget
from attn_course.show.widgets.formula import FormulaWidget, Head
from attn_course.show.widgets.heads import HeadsWidget, Maps
from attn_course.show.widgets.induction import InductionWidget
from attn_course.show.widgets.limits import LimitsWidget
from attn_course.show.widgets.order import OrderWidget
from attn_course.show.widgets.pruning import PruningWidget
from attn_course.show.widgets.scaling import ScalingWidget
from attn_course.show.widgets.scrubber import ScrubberWidget, scrubber
from attn_course.show.widgets.shortcut import ShortcutWidget
from attn_course.show.widgets.translation import Steps, TranslationWidget
from attn_course.show.widgets.visibility import VisibilityWidget
from attn_course.show.widgets.waste import WasteWidget, waste

__all__ = [
    "AttentionViewWidget",
    "CollapseWidget",
    "FormulaWidget",
    "Head",
    "HeadsWidget",
    "InductionWidget",
    "LimitsWidget",
    "Maps",
    "OrderWidget",
    "PruningWidget",
    "ScalingWidget",
    "ScrubberWidget",
    "ShortcutWidget",
    "Steps",
    "TranslationWidget",
    "VisibilityWidget",
    "WasteWidget",
    "attention_view",
    "scrubber",
    "waste",
]
