"""The doctor's report as a page that needs nothing but itself (`show.standalone`).

Path("report.html").write_text(page(report), encoding="utf-8")      # opens from the disk
show.report(report)                                                 # the same page, in a notebook
"""

from dataclasses import asdict

from attn_course.diagnosis.measures import MEASURES
from attn_course.diagnosis.report import Report
from attn_course.show.report_room import fitted
from attn_course.show.standalone import framed, printable, written

SCRIPTS = ("numbers", "read", "charts", "heatmap", "grid", "head", "findings", "page")
STYLES = ("page", "heads", "narrow")
NOTEBOOK = 200_000  # bytes: a notebook keeps what it shows


def page(report: Report, room: int | None = None) -> str:
    """The report as one HTML page; the same report gives the same page.

    room   bytes for the report's numbers: 4,500 a head unless given, but never below 1,400,000. What does not fit is
           drawn coarser: keys of the sampled rows are pooled, then rows left out, and the page says so
    """
    data, notes = fitted(report.to_dict(), room)
    measures = [asdict(measure) for measure in MEASURES.values()]
    carried = {"report": data, "measures": measures, "given": notes}
    title = f"{report.model}: attention, examined"
    return written("report_page", STYLES, SCRIPTS, title=title, words=report.to_text(), data=carried)


class ReportPage:
    """A report in a notebook: the page in a frame of its own, or the same in text."""

    def __init__(self, report: Report):
        self.report = report

    def _repr_html_(self) -> str:
        title, words = f"Doctor's report: {self.report.model}", self.report.to_text()
        return framed(page(self.report, NOTEBOOK), title=title, words=words)

    def __repr__(self) -> str:
        """Short, and the same on every machine that finds the same."""
        return f"ReportPage({printable(repr(self.report))})"


def report(report: Report) -> ReportPage:
    """The doctor's page in a notebook. To keep it as a file: `show.report.page(report)`."""
    return ReportPage(report)


report.page = page  # in the package `show`, "report" is the function and not this file
