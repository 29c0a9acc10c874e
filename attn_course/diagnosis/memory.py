"""Whether a run will fit, before it begins: weights from the headers of their files, the rest from the model's shape.

All in bytes. What is counted is what is there at once: the weights; the numbers between two layers for the longest
text; the strips that vitals are taken on; and what is kept of all texts.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from attn_course.attention import MultiHead

STRIPS = 300 * 2**20  # measured: two million scores, sorted and with their places, in every head at once
SPARE = 0.9  # of the free memory: other programs breathe too


class DoesNotFit(ValueError):
    """Says how much is needed, and how much there is."""


@dataclass(frozen=True)
class Shape:
    """What memory depends on."""

    layers: int
    heads: int
    d_model: int
    d_hidden: int
    plain: bool  # does its attention write the whole map?
    bytes_each: int  # of a number that the model computes with


@dataclass(frozen=True)
class Needed:
    """Bytes by what they are for."""

    weights: int
    between: int
    kept: int
    strips: int = STRIPS

    @property
    def total(self) -> int:
        return self.weights + self.between + self.kept + self.strips


def weights_in(folder: Path) -> int:
    """The size of all weights in a folder, from the first bytes of its *.safetensors files.

    Raises ValueError with one sentence for a file that is damaged.
    """
    return sum(_tensors_in(file) for file in sorted(folder.glob("*.safetensors")))


def _tensors_in(file: Path) -> int:
    try:
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(file.stat().st_size, 10**8):
                raise ValueError("no header")
            header = json.loads(stream.read(length))
        offsets = [each["data_offsets"] for name, each in header.items() if name != "__metadata__"]
        size = sum(end - start for start, end in offsets)
        if 8 + length + size > file.stat().st_size:
            raise ValueError("cut short")
        return size
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is damaged or cut short; fetch it again.") from error


def shape_of(module: nn.Module) -> Shape:
    """From the configuration of a model of `transformers`, or from the layers of one of the course."""
    each = next((p.element_size() for p in module.parameters()), 4)
    config = getattr(module, "config", None)
    if config is None:
        layers = [layer for layer in module.modules() if isinstance(layer, MultiHead)]
        d_model = layers[0].w_q.in_features
        return Shape(len(layers), max(layer.heads for layer in layers), d_model, 4 * d_model, False, each)
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    d_model = _said(config, 1024, "hidden_size", "n_embd", "d_model")
    return Shape(
        layers=_said(config, 24, "num_hidden_layers", "n_layer", "num_layers"),
        heads=_said(config, 16, "num_attention_heads", "n_head", "num_heads"),
        d_model=d_model,
        d_hidden=_said(config, 4 * d_model, "intermediate_size", "n_inner", "d_ff"),
        plain=getattr(config, "_attn_implementation", "eager") == "eager",
        bytes_each=each,
    )


def needed(weights: int, shape: Shape, lengths: Sequence[int], rows: int) -> Needed:
    """For texts of so many tokens, `rows` sampled rows each."""
    n = max(lengths, default=0)
    widest = 8 * shape.d_model + 3 * shape.d_hidden  # the stream, its copies, q, k, v; inside the feed-forward network
    between = n * (widest * shape.bytes_each + 4 * 8 * shape.d_model)  # and hidden states in float64, to be measured
    between += 3 * shape.heads * n * n * max(4, shape.bytes_each) if shape.plain else 0
    between += 3 * 4 * shape.heads * min(rows, n) * n  # rows of weights before they are rounded
    kept = shape.layers * shape.heads * sum(_kept(length, rows) for length in lengths)
    return Needed(weights, between, kept)


def _kept(n: int, rows: int) -> int:
    """Of one head and one text: a dozen numbers a query or key, and rows in half precision; the report widens both."""
    return n * 12 * (4 + 4) + min(rows, n) * n * (2 + 4 + 2)


def check_fits(name: str, need: Needed) -> None:
    """Raise DoesNotFit with one sentence if it will not fit into what is free now."""
    import psutil

    free = psutil.virtual_memory().available
    if need.total > SPARE * free:
        raise DoesNotFit(
            f"{name} would need about {giga(need.total)} ({giga(need.weights)} for its weights, "
            f"{giga(need.total - need.weights)} for the run), and {giga(free)} of memory are free: take a smaller "
            "model, or a shorter text (--max-tokens)."
        )


def giga(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def _said(config, otherwise: int, *names: str) -> int:
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return otherwise
