"""The few kinds of picture that lessons share."""

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from attn_course.attention import Visibility
from attn_course.show.figure import figure
from attn_course.show.palette import AMOUNT, FAULT, INK, QUERY, QUIET


def weights_map(ax: Axes, weights, queries=None, keys=None, title: str = "", most: float = 1.0, numbers: bool = False):
    """Weights as shades: one row a query, one column a key. `numbers` writes them into the cells."""
    weights = torch.as_tensor(weights).detach().numpy()
    image = ax.imshow(weights, cmap=AMOUNT, vmin=0, vmax=most, aspect="auto")
    ax.set_title(title)
    _ticks(ax, queries, keys)
    if numbers:
        for (i, j), value in _cells(weights):
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value < 0.6 * most else INK)
    return image


def visibility(v: Visibility, n_query: int, n_key: int | None = None, block: int | None = None, ax: Axes | None = None):
    """The matrix of a visibility; with `block`, the blocks that a kernel runs are framed. Returns the figure."""
    n_key = n_query if n_key is None else n_key
    own: Figure | None = None
    if ax is None:
        width = min(8, max(3.4, 0.7 + 0.083 * len(str(v))))  # the title has to fit
        own, ax = figure(width, 3.4 * n_query / n_key + 0.5)
        ax.set_anchor("W")
    seen = v.dense(n_query, n_key)
    while seen.dim() > 2:
        seen = seen[0]
    ax.imshow(seen.numpy(), cmap=matplotlib.colors.ListedColormap(["#E9E9E4", QUERY]), vmin=0, vmax=1, aspect="equal")
    ax.set_title(str(v), family="DejaVu Sans Mono", fontsize=9)
    ax.set_xlabel("key")
    ax.set_ylabel("query")
    ax.set_xticks(range(0, n_key, max(1, n_key // 4)))
    ax.set_yticks(
        range(0, n_query, max(1, n_query // 4)), [n_key - n_query + i for i in range(0, n_query, max(1, n_query // 4))]
    )
    _grid(ax, n_query, n_key)
    for i in range(n_query):
        if not seen[i].any():
            ax.text(n_key - 0.3, i, "sees nothing", va="center", fontsize=8, color=FAULT)
    if block is not None:
        _frames(ax, v.blocks(n_query, n_key, block))
    return own


def reference(ax: Axes, y: float, text: str, x: float = 0.99, below: bool = False) -> None:
    """A quiet horizontal line with its name on it (or under it): what is healthy, uniform, or known."""
    ax.axhline(y, color=QUIET, linestyle="--", linewidth=1.2, zorder=0)
    side = {"xytext": (0, -4), "va": "top"} if below else {"xytext": (0, 3), "va": "bottom"}
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right" if x > 0.5 else "left"}
    ax.annotate(text, (x, y), fontsize=9, color="#5A5A5A", **side, **place)


def label(ax: Axes, x: float, y: float, text: str, color: str, **kwargs) -> None:
    """A name beside its line, in the line's colour, instead of a legend."""
    ax.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", color=color, va="center", fontsize=9, **kwargs)


def _ticks(ax: Axes, queries, keys) -> None:
    if keys is not None:
        ax.set_xticks(range(len(keys)), keys, rotation=90 if max(map(len, keys)) > 2 else 0)
    if queries is not None:
        ax.set_yticks(range(len(queries)), queries)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _cells(weights):
    for i in range(len(weights)):
        for j in range(len(weights[i])):
            yield (i, j), float(weights[i][j])


def _grid(ax: Axes, n_query: int, n_key: int) -> None:
    for x in range(n_key + 1):
        ax.axvline(x - 0.5, color="white", linewidth=0.6)
    for y in range(n_query + 1):
        ax.axhline(y - 0.5, color="white", linewidth=0.6)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _frames(ax: Axes, blocks) -> None:
    """Frame the blocks that are computed; partial ones, which need a mask inside, are hatched."""
    kinds = blocks.kind
    while kinds.dim() > 2:
        kinds = kinds[0]
    for (a, b), kind in _cells(kinds):
        if kind > 0:
            corner = (b * blocks.block - 0.5, a * blocks.block - 0.5)
            width = min(blocks.block, blocks.n_key - b * blocks.block)
            height = min(blocks.block, blocks.n_query - a * blocks.block)
            hatch = "///" if kind == 1 else None
            ax.add_patch(
                Rectangle(corner, width, height, fill=False, edgecolor=INK, linewidth=1.4, hatch=hatch, alpha=0.7)
            )
