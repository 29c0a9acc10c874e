"""How a training went: the loss at every step, and what was measured on the way."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attn_course.show.figure import figure
from attn_course.show.palette import QUERY, QUIET
from attn_course.show.plots import label, reference
from attn_course.training.history import History


def history(
    h: History, floor: float | None = None, floor_name: str = "the smallest loss there can be", log: bool = False
) -> Figure:
    """The loss of each step, its running mean in front, and a panel for each thing that was measured.

    floor   a loss to compare with: the source's entropy, a rival's
    log     a logarithmic axis for the loss
    """
    if not h:
        raise ValueError("There is nothing to draw: this history has no steps.")
    panels = min(3, 1 + len(h.measured))
    fig, axes = figure(min(8, 3.2 + 2.4 * (panels - 1) + 0.6), 2.9, columns=panels, squeeze=False)
    axes = axes.ravel() if hasattr(axes, "ravel") else [axes]
    _losses(axes[0], h, floor, floor_name, log)
    for ax, (name, pairs) in zip(axes[1:], h.measured.items(), strict=False):
        steps, values = zip(*pairs, strict=True)
        ax.plot(steps, values, color=QUERY, marker="o", markersize=3)
        ax.set(title=name, xlabel="step", xlim=(0, None))
        label(ax, steps[-1], values[-1], f"{values[-1]:.2g}", QUERY)
        ax.margins(x=0.15)
    return fig


def _losses(ax: Axes, h: History, floor: float | None, floor_name: str, log: bool) -> None:
    width = max(1, len(h) // 40)
    mean = np.convolve(h, np.ones(width) / width, mode="valid")
    ax.plot(range(1, len(h) + 1), h, color=QUIET, linewidth=0.6, alpha=0.7)
    ax.plot(np.arange(len(mean)) + (width + 1) / 2, mean, color=QUERY)
    ax.set(title="loss (nats)", xlabel="step", yscale="log" if log else "linear")
    if not log:
        ax.set_ylim(0, None)
    if floor is not None:
        reference(ax, floor, floor_name, below=floor > 0.15 * max(h))
