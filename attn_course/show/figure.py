"""How a figure begins and how it is shown: one look, one size, alt text always."""

import io

import matplotlib
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from attn_course.show.palette import INK, PAPER, QUIET

LOOK = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "lines.linewidth": 2,
    "savefig.facecolor": PAPER,
}
DOTS_PER_INCH = 110


def figure(width: float = 7.5, height: float = 3.2, columns: int = 1, **kwargs):
    """A figure in the course's look, and its axes: one, or an array of `columns`. `kwargs` go to `subplots`."""
    if width > 8:
        raise ValueError(f"A figure is at most 8 inches wide so that it fits the page; got {width}.")
    matplotlib.rcParams.update(LOOK)  # for good: titles and labels that a lesson adds later should look the same
    fig = Figure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(1, columns, **kwargs)


def show(fig: Figure, alt: str) -> None:
    """Display `fig` as one PNG. `alt` says what it shows, for those who cannot see it and where it cannot be drawn."""
    if len(alt.split()) < 4:
        raise ValueError(
            "alt should say what the figure shows, in a sentence that would do for someone who cannot see it."
        )
    display(
        {"image/png": png_of(fig), "text/plain": alt},
        metadata={"image/png": {"alt": alt}},
        raw=True,
    )


def png_of(fig: Figure) -> bytes:
    """`fig` as a PNG of at most 256 colours: a third of the size, and the same figure gives the same bytes."""
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    image = Image.open(drawn).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    png = io.BytesIO()
    image.save(png, format="png", optimize=True)
    return png.getvalue()
