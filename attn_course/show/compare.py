"""Target beside yours: two small matrices, as a picture made of table cells and as plain text."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attn_course.show.palette import FAULT

MOST = 8  # rows and columns shown: a counterexample should be small enough to compute by hand
ABOVE, BELOW = "0,114,178", "230,159,0"  # blue for numbers above zero, orange for those below
CELL = "padding:.25em .6em;text-align:right;font-family:monospace;border:none;border-radius:3px"
TABLE = "border-collapse:separate;border-spacing:4px;border:none;margin:0;font-size:inherit;width:auto"


@dataclass(frozen=True)
class Comparison:
    """Two arrays of one to any number of axes; of more than two axes the matrix that differs most is shown."""

    target: Tensor
    yours: Tensor | None
    caption: str = ""
    axes: tuple[str, ...] = ()

    def __str__(self) -> str:
        target, yours = self._shown()
        left = _lines(target, "target")
        right = _lines(yours, "yours") if yours is not None else []
        width = max(len(line) for line in left)
        rows = max(len(left), len(right))
        left += [""] * (rows - len(left))
        right += [""] * (rows - len(right))
        joined = [f"{a:<{width}}   {b}".rstrip() for a, b in zip(left, right, strict=True)]
        return "\n".join(([self._words()] if self._words() else []) + joined)

    def html(self) -> str:
        target, yours = self._shown()
        most = _largest(target)
        tables = _table(target, "target", None, self.axes, most)
        if yours is not None:
            wanted = target if self.yours.shape == self.target.shape else None
            tables += _table(yours, "yours", wanted, self.axes, most)
        words = f'<p style="margin:.5em 0">{self._words()}</p>' if self._words() else ""
        return f'{words}<div style="display:flex;gap:2em;flex-wrap:wrap;overflow-x:auto">{tables}</div>'

    def _shown(self) -> tuple[Tensor, Tensor | None]:
        """The two matrices, cut to what can be read."""
        at = self._place()
        yours = None if self.yours is None else _matrix(self.yours, at if self._same_shape() else ())
        return _matrix(self.target, at), yours

    def _place(self) -> tuple[int, ...]:
        """Which of the leading axes' matrices: the one with the largest difference, or the first of all."""
        lead = self.target.dim() - 2
        if lead <= 0:
            return ()
        if not self._same_shape():
            return (0,) * lead
        gaps = (self.yours.detach().double() - self.target.detach().double()).abs().nan_to_num(torch.inf)
        return tuple((gaps == gaps.max()).nonzero()[0, :lead].tolist())

    def _same_shape(self) -> bool:
        return self.yours is not None and self.yours.shape == self.target.shape

    def _words(self) -> str:
        at = self._place()
        part = f"Shown: [{', '.join(map(str, at))}] of the leading axes." if at else ""
        return " ".join(words for words in (self.caption, part) if words)


def _matrix(values: Tensor, at: tuple[int, ...]) -> Tensor:
    values = values.detach()[at]
    while values.dim() > 2:
        values = values[0]
    return values.reshape(1, -1)[:, :MOST] if values.dim() < 2 else values[:MOST, :MOST]


def _close(a: Tensor, b: Tensor) -> Tensor:
    return torch.isclose(a.detach().double(), b.detach().double(), rtol=1e-6, atol=1e-6, equal_nan=True)


def _word(value) -> str:
    if isinstance(value, bool | int):
        return str(value)
    return f"{value:.3g}" if value == value and abs(value) >= 1000 else f"{value:.3f}"


def _lines(values: Tensor, title: str) -> list[str]:
    words = [[_word(value) for value in row] for row in values.tolist()]
    width = max((len(word) for row in words for word in row), default=0)
    lines = ["  ".join(f"{word:>{width}}" for word in row) for row in words]
    return [title, *lines]


def _table(matrix: Tensor, title: str, target: Tensor | None, axes: tuple[str, ...], most: float) -> str:
    differs = torch.zeros(matrix.shape, dtype=torch.bool) if target is None else ~_close(matrix, target)
    rows = [
        "".join(f'<td style="{_style(v, most, d)}">{_word(v)}</td>' for v, d in zip(values, framed, strict=True))
        for values, framed in zip(matrix.tolist(), differs.tolist(), strict=True)
    ]
    body = "".join(f'<tr style="background:none">{row}</tr>' for row in rows)
    named = f" ({' × '.join(axes)})" if axes else ""
    note = ", framed where it differs" if differs.any() else ""
    heading = f'<b>{title}</b><span style="opacity:.7">{named}{note}</span>'
    # The heading stands outside: a caption would be broken to the width of a narrow table.
    return (
        f'<div><div style="white-space:nowrap">{heading}</div>'
        f'<table aria-label="{title}{named}{note}" style="{TABLE}">{body}</table></div>'
    )


def _largest(target: Tensor) -> float:
    """Both tables are shaded by the target's largest number, so that equal numbers look equal."""
    finite = target.double()[torch.isfinite(target.double())]
    return finite.abs().max().item() if finite.numel() else 0.0


def _style(value, most: float, differs: bool) -> str:
    """Shaded by amount; the text keeps the page's own colour, so that it reads in light and in dark."""
    share = min(1.0, abs(float(value)) / most) if most > 0 and value == value else 0.0
    frame = f"outline:2px solid {FAULT}" if differs else "outline:1px solid rgba(128,128,128,.35)"
    return f"background:rgba({ABOVE if value >= 0 else BELOW},{0.45 * share:.2f});{frame};{CELL}"
