"""An audit of made-up measurements, for the tests of its answers and of its page."""

from dataclasses import replace

from attn_course.diagnosis.audit import Audit, about_calibration, about_changes, about_groups, about_tokens
from attn_course.tasks.marker import MARKERS
from attn_course.tasks.token_audit import Told

LOOK = {
    "accuracy": 0.917,
    "shifted": 0.308,
    "groups": [0.96, 0.27, 0.32, 0.98],
    "flips": 0.675,
    "on marker": 0.131,
    "uniform": 0.069,
    "ece": 0.07,
    "ece after": 0.02,
    "ece shifted": 0.63,
    "ece shifted after": 0.58,
    "temperature": 1.62,
}
TOLD = [Told((MARKERS[1],), 0.7093, 370, 352, 1e-157, 0.95), Told(("statement",), 0.056, 60, 56, 1e-11, 0.53)]


def made(**changes) -> Audit:
    sections = (about_tokens(TOLD), about_groups(LOOK), about_changes(LOOK), about_calibration(LOOK))
    return replace(Audit("a reader of sentences", "sorting pages of a manual", sections), **changes)
