"""The audit as a page that a person fills in and signs: one file (`show.standalone`), and no answer leaves it unasked.

    Path("audit.html").write_text(page(audit), encoding="utf-8")        # opens from the disk
    show.audit(audit)                                                   # the same page, in a notebook

The page cannot fetch or send anything; "Save" writes a file on the reader's own machine, which `diagnosis.audit.signed`
reads.
"""

from attn_course.diagnosis.audit import Audit
from attn_course.show.standalone import framed, printable, written


def page(audit: Audit) -> str:
    """The audit as one HTML page, unsigned; the same audit gives the same page."""
    title = f"Audit of {audit.subject}"
    return written("audit_page", ("page",), ("page",), title=title, words=audit.to_text(), data=audit.to_dict())


class AuditPage:
    """An audit in a notebook: the page in a frame of its own, or the same in text."""

    def __init__(self, audit: Audit):
        self.audit = audit

    def _repr_html_(self) -> str:
        # The frame may run the page's script, save a file and open the printer's dialogue, and no more.
        may = "allow-scripts allow-downloads allow-modals"
        title, words = f"Audit of {self.audit.subject}", self.audit.to_text()
        return framed(page(self.audit), title=title, words=words, may=may)

    def __repr__(self) -> str:
        sections, questions = len(self.audit.sections), len(self.audit.questions)
        return f"AuditPage({printable(self.audit.subject)}: {sections} tables, {questions} questions, unsigned)"


def audit(audit: Audit) -> AuditPage:
    """The audit's page in a notebook. To keep it as a file: `show.audit.page(audit)`."""
    return AuditPage(audit)


audit.page = page  # in the package `show`, "audit" is the function and not this file
