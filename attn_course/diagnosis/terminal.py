"""A report as text: findings first, then the layers as numbers, then every head as one digit.

Nothing depends on colour: digits are tenths, and a mark beside a digit says that a finding names this head.
"""

import textwrap
from typing import TYPE_CHECKING

from attn_course.diagnosis.measures import MEASURES

if TYPE_CHECKING:
    from attn_course.diagnosis.report import Finding, Layer, Numbers, Report

LEAST_WIDTH = 20
MARKS = {"fault": "!", "look": "?"}
COLOURS = {"fault": "\x1b[1;35m", "look": "\x1b[33m", "normal": "\x1b[36m"}
PLAIN = "\x1b[0m"
GRIDS = ("entropy", "entropy_rest", "first_token")
# Of each layer: the heads' mean, or the extreme that matters.
COLUMNS = (
    ("entropy", "entropy", "mean"),
    ("entropy_rest_low", "sharpest", "least"),
    ("first_token", "first", "mean"),
    ("max_logit", "logit", "most"),
    ("coverage", "96 % in", "mean"),
    ("window", "window", "mean"),
    ("divergence", "nearest", "least"),
)
LEGEND = (
    "entropy: H / log n, mean of heads; sharpest: the lowest twentieth of the sharpest head's rows, sinks left out; "
    "first: on the first token; logit: the greatest; 96 % in: the share of keys that holds so much; window: the "
    "tokens on either side that do; nearest: bits between the two heads most alike."
)


def as_text(report: "Report", width: int = 80, colour: bool = False) -> str:
    """Lines of at most `width` characters (20 at least)."""
    width = max(LEAST_WIDTH, width)
    parts = [_head(report, width)]
    parts += [_finding(finding, width, colour) for finding in report.findings]
    parts += [_layers(report, width), _blocks(report, width)]
    parts += [_grid(report, measure, width) for measure in GRIDS]
    parts += [_filled(f"Note: {note}", width, "      ") for note in report.notes]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: "Report", width: int) -> str:
    about, heads = report.about, sum(layer.heads for layer in report.layers)
    texts = _count(about["sequences"], "text", "texts")
    said = [
        f"{report.model}: {_count(len(report.layers), 'attention layer', 'attention layers')}, "
        f"{_count(heads, 'head', 'heads')}, on {texts} with {about['tokens']:,} tokens, in {about['dtype']}."
    ]
    if about["sampled_rows"] < about["tokens"]:
        said.append(f"What needs whole rows was taken on {about['sampled_rows']:,} of {about['tokens']:,}.")
    faults, looks, normal = (len(report.of_severity(each)) for each in ("fault", "look", "normal"))
    said.append(
        f"{_count(faults, 'fault', 'faults') if faults else 'No fault'}, {looks} to look at, "
        f"{normal} that {'is' if normal == 1 else 'are'} normal."
    )
    tried = [name for name in ("taken away", "how often right") if name in about]
    said += [f"{name.capitalize()}: {about[name]}." for name in tried]
    return "\n".join(_filled(each, width) for each in said)


def _finding(finding: "Finding", width: int, colour: bool) -> str:
    label = finding.severity.upper()
    first = f"{label:<7}{finding.title}"
    said = [
        _filled(first, width, "       "),
        *(_filled(each, width, "       ", "       ") for each in _sentences(finding)),
    ]
    text = "\n".join(said)
    return text.replace(label, f"{COLOURS[finding.severity]}{label}{PLAIN}", 1) if colour else text


def _sentences(finding: "Finding") -> list[str]:
    return [
        finding.evidence,
        f"How sure: {finding.sure}, measured {finding.measured}.",
        f"What to do: {finding.remedy}",
    ]


def _layers(report: "Report", width: int) -> str:
    """One line a layer; as many columns as fit."""
    columns = COLUMNS[: max(1, (width - 8) // 10)]
    lines = ["layer   " + "".join(f"{title:>10}" for _, title, _ in columns)]
    for at, layer in enumerate(report.layers):
        numbers = (_figure(_of_heads(layer.values.get(name, ()), how)) for name, _, how in columns)
        lines.append(f"{at:>5}   " + "".join(f"{number:>10}" for number in numbers))
    return "\n".join(lines) + "\n" + _filled(LEGEND, width)


def _of_heads(values: "Numbers", how: str) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"mean": sum(known) / len(known), "least": min(known), "most": max(known)}[how]


def _blocks(report: "Report", width: int) -> str:
    if not report.blocks:
        return ""
    names = ("rank_residual", "token_cosine", "block_influence", "largest")
    titles = ("residual", "alike", "changes", "largest")
    fit = max(1, (width - 8) // 10)
    lines = ["block   " + "".join(f"{title:>10}" for title in titles[:fit])]
    for at, block in enumerate(report.blocks):
        lines.append(f"{at:>5}   " + "".join(f"{_figure(block.values.get(name)):>10}" for name in names[:fit]))
    said = (
        "residual: what is not common to all tokens, as a share of the norm; alike: mean cosine of two tokens; "
        "changes: 1 − cosine of a token before and after the block; largest: the largest activation."
    )
    return "\n".join(lines) + "\n" + _filled(said, width)


def _grid(report: "Report", measure: str, width: int) -> str:
    """Layers down, heads across, one digit each: tenths, rounded down, and 9 for 1."""
    if not any(layer.values.get(measure) for layer in report.layers):
        return ""
    known = MEASURES[measure]
    title = f"{known.title}, in tenths ({known.unit}), layer by layer, head by head; ! fault, ? look, · not measured"
    marks = _marks(report)
    lines = [_filled(title[0].upper() + title[1:], width)]
    for at, layer in enumerate(report.layers):
        lines += _row(at, layer, measure, marks, (width - 8) // 2)
    return "\n".join(lines)


def _row(at: int, layer: "Layer", measure: str, marks: dict[tuple[int, int], str], fit: int) -> list[str]:
    values = layer.values.get(measure, (None,) * layer.heads)
    cells = [_digit(value) + marks.get((at, head), " ") for head, value in enumerate(values)]
    lines = ["".join(cells[first : first + fit]).rstrip() for first in range(0, len(cells), fit)]
    return [f"{at if number == 0 else '':>5}   {line}" for number, line in enumerate(lines)]


def _digit(value: float | None) -> str:
    return "·" if value is None else str(min(9, max(0, int(value * 10))))


def _marks(report: "Report") -> dict[tuple[int, int], str]:
    """(layer, head) → the mark of the gravest finding that names it, or its whole layer."""
    marks: dict[tuple[int, int], str] = {}
    for severity in ("look", "fault"):
        for place in (place for finding in report.of_severity(severity) for place in finding.where):
            if place.layer is not None:
                heads = range(report.layers[place.layer].heads) if place.head is None else (place.head,)
                marks |= {(place.layer, head): MARKS[severity] for head in heads}
    return marks


def _figure(value: float | None) -> str:
    if value is None:
        return "·"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _filled(text: str, width: int, indent: str = "", first: str = "") -> str:
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
