"""What the widgets share: one small kit of JavaScript and CSS, and the palette handed to both.

A widget's module is kit.js followed by its own .js files. Nothing is fetched from anywhere, so the same text runs in
JupyterLab, VS Code, Colab and on a static page. The arithmetic is there, in float64; Python holds the state.
"""

from pathlib import Path

import anywidget

from attn_course.show import palette

HERE = Path(__file__).parent


def module(*names: str) -> str:
    """The JavaScript module of one widget: the kit, then the widget's own files."""
    return "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in ("kit", *names))


def style(name: str) -> str:
    """The CSS of one widget: the palette as custom properties, the kit, then the widget's own file."""
    hues = ("QUERY", "KEY", "VALUE", "OUTPUT", "SINK", "FAULT")
    colours = "".join(f"  --hue-{hue.lower()}: {getattr(palette, hue)};\n" for hue in hues)
    return f".attn {{\n{colours}}}\n" + "\n".join(
        (HERE / f"{part}.css").read_text(encoding="utf-8") for part in ("kit", name)
    )


class Widget(anywidget.AnyWidget):
    """A view with its controls. Traits can be set and read from Python; moving a control sets them too."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"

    def describe(self) -> str:
        """A few stable words for `repr`: what a notebook without widget state shows."""
        raise NotImplementedError


def rounded(rows, decimals: int = 4) -> list:
    """A tensor or nested list as nested lists of rounded floats."""
    if hasattr(rows, "tolist"):
        rows = rows.tolist()
    return [rounded(row, decimals) if isinstance(row, list | tuple) else round(float(row), decimals) for row in rows]
