"""The doctor's report as a page that needs nothing but itself: no network, no other file, no server.

    Path("report.html").write_text(page(report), encoding="utf-8")      # opens from the disk
    show.report(report)                                                 # the same page, in a notebook

Everything that a model's text brings along is data: the page carries it as JSON in which no tag can begin or end, and
writes it as text. Its content security policy lets no script run but the page's own, and nothing be fetched.
"""

import base64
import hashlib
import html
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from string import Template

from attn_course.diagnosis.measures import MEASURES
from attn_course.diagnosis.report import Report
from attn_course.show import palette
from attn_course.show.report_room import fitted

HERE = Path(__file__).parent
SCRIPTS = ("numbers", "read", "charts", "heatmap", "grid", "head", "findings", "page")
STYLES = ("page", "heads", "narrow")
HUES = ("QUERY", "KEY", "VALUE", "OUTPUT", "FAULT")
NOTEBOOK = 200_000  # bytes: a notebook keeps what it shows
TALL = 760  # px


def page(report: Report, room: int | None = None) -> str:
    """The report as one HTML page; the same report gives the same page.

    room   bytes for the report's numbers: 4,500 a head unless given, but never below 1,400,000. What does not fit is
           drawn coarser: keys of the sampled rows are pooled, then rows left out, and the page says so
    """
    data, notes = fitted(report.to_dict(), room)
    measures = [asdict(measure) for measure in MEASURES.values()]
    style, script = _style(), _script()
    parts = {
        "title": html.escape(f"{_printable(report.model)}: attention, examined"),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "words": html.escape(_text(report)),
        "report": _json({"report": data, "measures": measures, "given": notes}),
    }
    return Template(_read("page.html")).substitute(parts)


class ReportPage:
    """A report in a notebook: the page in a frame of its own, or the same in text."""

    def __init__(self, report: Report):
        self.report = report

    def _repr_html_(self) -> str:
        # In single quotes the JSON's double ones can stay as they are. The frame may run the page's script and no more;
        # what stands inside the element is seen only where frames are not.
        inside = page(self.report, NOTEBOOK).replace("&", "&amp;").replace("'", "&#39;")
        title = html.escape(f"Doctor's report: {_printable(self.report.model)}")
        style = f"width: 100%; height: {TALL}px; border: 1px solid #8884; border-radius: 8px"
        fallback = f"<pre>{html.escape(_text(self.report))}</pre>"
        return (
            f'<iframe title="{title}" sandbox="allow-scripts" style="{style}" srcdoc=\'{inside}\'>{fallback}</iframe>'
        )

    def __repr__(self) -> str:
        """Short, and the same on every machine that finds the same."""
        return f"ReportPage({_printable(repr(self.report))})"


def report(report: Report) -> ReportPage:
    """The doctor's page in a notebook. To keep it as a file: `show.report.page(report)`."""
    return ReportPage(report)


report.page = page  # in the package `show`, "report" is the function and not this file


def _json(value) -> str:
    """JSON that can stand inside a script element: no `<`, `>` or `&` in it, and nothing but ASCII."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(report: Report) -> str:
    """What stands where a page cannot be drawn."""
    return _printable(report.to_text())


def _printable(text: str) -> str:
    """The same without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def _read(name: str) -> str:
    return (HERE / "report_page" / name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return _style_of("\n".join(_read(f"{name}.css") for name in STYLES))


def _style_of(own: str) -> str:
    hues = "".join(f"  --hue-{hue.lower()}: {getattr(palette, hue)};\n" for hue in HUES)
    return f":root {{\n{hues}}}\n{own}"


@cache
def _script() -> str:
    kit = (HERE / "widgets" / "kit.js").read_text(encoding="utf-8")
    own = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{kit}\n{own}\n}})();\n'


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
