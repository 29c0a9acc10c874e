"""Target beside yours: two small matrices, as a picture made of table cells and as plain text."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attn_course.show.palette import FAULT

MOST = 8  # rows and columns shown: a counterexample should be small enough to compute by hand


@dataclass(frozen=True)
class Comparison:
    """Two arrays of one to any number of axes; of more than two axes the first matrix is shown."""

    target: Tensor
    yours: Tensor | None
    caption: str = ""
    axes: tuple[str, ...] = ()

    def __str__(self) -> str:
        left = _lines(self.target, "target")
        right = _lines(self.yours, "yours") if self.yours is not None else []
        width = max(len(line) for line in left)
        rows = max(len(left), len(right))
        left += [""] * (rows - len(left))
        right += [""] * (rows - len(right))
        joined = [f"{a:<{width}}   {b}".rstrip() for a, b in zip(left, right, strict=True)]
        return "\n".join(([self.caption] if self.caption else []) + joined)

    def html(self) -> str:
        tables = _table(self.target, "target", None, self.axes)
        if self.yours is not None:
            tables += _table(self.yours, "yours", self.target, self.axes)
        caption = f"<p>{self.caption}</p>" if self.caption else ""
        return f'{caption}<div style="display:flex;gap:2em;flex-wrap:wrap">{tables}</div>'


def _matrix(values: Tensor) -> Tensor:
    values = values.detach()
    while values.dim() > 2:
        values = values[0]
    return values.reshape(1, -1)[:, :MOST] if values.dim() < 2 else values[:MOST, :MOST]


def _word(value) -> str:
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3g}" if value == value and abs(value) >= 1000 else f"{value:.3f}"


def _lines(values: Tensor, title: str) -> list[str]:
    words = [[_word(value) for value in row] for row in _matrix(values).tolist()]
    width = max((len(word) for row in words for word in row), default=0)
    lines = ["  ".join(f"{word:>{width}}" for word in row) for row in words]
    return [title, *lines]


def _table(values: Tensor, title: str, target: Tensor | None, axes: tuple[str, ...]) -> str:
    matrix = _matrix(values)
    wanted = _matrix(target) if target is not None and target.shape == values.shape else None
    rows = []
    for r, row in enumerate(matrix.tolist()):
        cells = []
        for c, value in enumerate(row):
            differs = wanted is not None and not _alike(value, wanted[r, c].item())
            cells.append(f'<td style="{_style(value, matrix, differs)}">{_word(value)}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    named = f" ({' × '.join(axes)})" if axes else ""
    note = "; cells that differ are framed" if wanted is not None else ""
    return (
        f'<table aria-label="{title}{named}{note}" style="border-collapse:separate;border-spacing:2px">'
        f'<caption style="text-align:left">{title}{named}</caption>{"".join(rows)}</table>'
    )


def _alike(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= 1e-6 * max(1.0, abs(b)) or (a != a and b != b)


def _style(value, matrix: Tensor, differs: bool) -> str:
    """Shaded by amount; the text keeps the page's own colour, so that it reads in light and in dark."""
    finite = matrix.double()[torch.isfinite(matrix.double())]
    most = finite.abs().max().item() if finite.numel() else 0.0
    share = min(1.0, abs(float(value)) / most) if most > 0 and value == value else 0.0
    frame = f"outline:2px solid {FAULT}" if differs else "outline:1px solid rgba(128,128,128,.3)"
    shade = f"background:rgba(0,114,178,{0.45 * share:.2f})"
    return f"{shade};{frame};padding:.2em .5em;text-align:right;font-family:monospace"
