"""What a check says, in a notebook and in a terminal."""

import re
from dataclasses import dataclass, field
from html import escape

from attn_course.show.compare import Comparison
from attn_course.show.palette import FAULT, REMEDY

STRESSED = re.compile(r"(?<![\w*])\*(\w[^*\n]*\w)\*(?![\w*])")


class NotPassed(AssertionError):
    """Raised by `Result.require`, which is how a gradebook learns that an answer is wrong."""


@dataclass(frozen=True)
class Result:
    """The outcome of a check: `.passed`, `.mistake` (a short stable id, or None) and `.message`."""

    exercise: str
    passed: bool
    message: str
    mistake: str | None = None
    comparison: Comparison | None = field(default=None, repr=False)
    footer: str = ""

    def require(self) -> None:
        """Raise NotPassed with the message unless the check passed."""
        if not self.passed:
            raise NotPassed(self.message)

    @property
    def heading(self) -> str:
        return "Passed." if self.passed else "Not yet."

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        parts = [f"{self.heading} {self.message}"]
        if self.comparison is not None:
            parts.append(str(self.comparison))
        if self.footer:
            parts.append(self.footer)
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{self.heading}</b> {_code(self.message)}</p>"]
        if self.comparison is not None:
            parts.append(self.comparison.html())
        if self.footer:
            parts.append(f"<p>{_code(self.footer)}</p>")
        edge = f"border-left:4px solid {REMEDY if self.passed else FAULT};padding:.1em 0 .1em 1em"
        return f'<div style="{edge}">' + "".join(parts) + "</div>"


def _code(text: str) -> str:
    """Text for a page: `backticks` become code, *stars* stress."""
    pieces = escape(text, quote=False).split("`")
    return "".join(
        f"<code>{piece}</code>" if n % 2 else STRESSED.sub(r"<em>\1</em>", piece) for n, piece in enumerate(pieces)
    ).replace("\n", "<br>")
