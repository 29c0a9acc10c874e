"""The audit as a page that a person fills in and signs: one file, no network, and no answer leaves it unasked.

    Path("audit.html").write_text(page(audit), encoding="utf-8")        # opens from the disk
    show.audit(audit)                                                   # the same page, in a notebook

What is printed is data, and is written as text: no label and no name in it can run. The page cannot fetch or send
anything; "Save" writes a file on the reader's own machine, which `diagnosis.audit.signed` reads.
"""

import html
from functools import cache
from pathlib import Path
from string import Template

from attn_course.diagnosis.audit import Audit
from attn_course.show.report import _hash, _json, _printable, _style_of

HERE = Path(__file__).parent
TALL = 760  # px


def page(audit: Audit) -> str:
    """The audit as one HTML page, unsigned; the same audit gives the same page."""
    style, script = _style_of((HERE / "audit_page" / "page.css").read_text(encoding="utf-8")), _script()
    parts = {
        "title": html.escape(f"Audit of {_printable(audit.subject)}"),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "words": html.escape(_printable(audit.to_text())),
        "audit": _json(audit.to_dict()),
    }
    return Template((HERE / "audit_page" / "page.html").read_text(encoding="utf-8")).substitute(parts)


class AuditPage:
    """An audit in a notebook: the page in a frame of its own, or the same in text."""

    def __init__(self, audit: Audit):
        self.audit = audit

    def _repr_html_(self) -> str:
        inside = page(self.audit).replace("&", "&amp;").replace("'", "&#39;")
        title = html.escape(f"Audit of {_printable(self.audit.subject)}")
        style = f"width: 100%; height: {TALL}px; border: 1px solid #8884; border-radius: 8px"
        fallback = f"<pre>{html.escape(_printable(self.audit.to_text()))}</pre>"
        # The frame may run the page's script, save a file and open the printer's dialogue, and no more.
        allowed = "allow-scripts allow-downloads allow-modals"
        return f'<iframe title="{title}" sandbox="{allowed}" style="{style}" srcdoc=\'{inside}\'>{fallback}</iframe>'

    def __repr__(self) -> str:
        sections, questions = len(self.audit.sections), len(self.audit.questions)
        return f"AuditPage({_printable(self.audit.subject)}: {sections} tables, {questions} questions, unsigned)"


def audit(audit: Audit) -> AuditPage:
    """The audit's page in a notebook. To keep it as a file: `show.audit.page(audit)`."""
    return AuditPage(audit)


audit.page = page  # in the package `show`, "audit" is the function and not this file


@cache
def _script() -> str:
    kit = (HERE / "widgets" / "kit.js").read_text(encoding="utf-8")
    own = (HERE / "audit_page" / "page.js").read_text(encoding="utf-8")
    return f'(() => {{\n"use strict";\n{kit}\n{own}\n}})();\n'
