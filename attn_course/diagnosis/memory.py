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
from attn_course.diagnosis.strips import CELLS, ROWS
from attn_course.diagnosis.watch_library import attention_layers

BUFFERS = 10  # of a strip's size, in float32: scores, weights, sorted ones, and their places, which count double
BIASES = 4  # T5 and its like write a bias for every pair of tokens; measured: it is there so many times
GROUP = Path("/sys/fs/cgroup")  # where Linux says how much memory a container has
GROUP_FILES = (  # limit, use, details, and the detail to take off
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
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
    biased: bool = False  # does it write a bias for every pair of tokens?


@dataclass(frozen=True)
class Needed:
    """Bytes by what they are for."""

    weights: int
    between: int
    kept: int
    strips: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.between + self.kept + self.strips


def weights_in(folder: Path) -> int:
    """The size of all weights in a folder that the library would load, from the first bytes of its *.safetensors files.

    Raises ValueError with one sentence for a file that is damaged.
    """
    return sum(_tensors_in(file) for file in _loaded_from(folder))


def _loaded_from(folder: Path) -> list[Path]:
    """Files beside these, such as a copy in another form (consolidated.safetensors), are not read by the library."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file():
        return [whole]
    try:
        parts = {folder / name for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        parts = set(folder.glob("*.safetensors"))
    return sorted(part for part in parts if part.is_file())


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
        layers=len(attention_layers(module)) or _said(config, 24, "num_hidden_layers", "n_layer", "num_layers"),
        heads=_said(config, 16, "num_attention_heads", "n_head", "num_heads"),
        d_model=d_model,
        d_hidden=_said(config, 4 * d_model, "intermediate_size", "n_inner", "d_ff"),
        plain=getattr(config, "_attn_implementation", "eager") == "eager",
        bytes_each=each,
        biased=hasattr(config, "relative_attention_num_buckets"),
    )


def needed(weights: int, shape: Shape, lengths: Sequence[int], rows: int) -> Needed:
    """For texts of so many tokens, `rows` sampled rows each."""
    n = max(lengths, default=0)
    widest = 8 * shape.d_model + 3 * shape.d_hidden  # the stream, its copies, q, k, v; inside the feed-forward network
    between = n * (widest * shape.bytes_each + 4 * 8 * shape.d_model)  # and hidden states in float64, to be measured
    between += 3 * shape.heads * n * n * max(4, shape.bytes_each) if shape.plain else 0
    between += BIASES * 4 * shape.heads * n * n if shape.biased else 0
    between += 3 * 4 * shape.heads * min(rows, n) * n  # rows of weights before they are rounded
    kept = shape.layers * shape.heads * sum(_kept(length, rows) for length in lengths)
    return Needed(weights, between, kept, max(4 * _strip(shape, n, n) * 4, BUFFERS * 4 * _strip(shape, n, rows)))


def _strip(shape: Shape, n: int, rows: int) -> int:
    """Scores in one strip. For every row it has four buffers; for sampled ones, whose weights are sorted, ten."""
    return min(max(CELLS["cpu"], shape.heads * n), shape.heads * min(ROWS, rows, n) * n)


def _kept(n: int, rows: int) -> int:
    """Of one head and one text: a dozen numbers a query or key, and rows in half precision; the report widens both."""
    return n * 12 * (4 + 4) + min(rows, n) * n * (2 + 4 + 2)


def check_fits(name: str, need: Needed) -> None:
    """Raise DoesNotFit with one sentence if it will not fit into what is free now."""
    free = free_memory()
    if need.total > SPARE * free:
        raise DoesNotFit(
            f"{name} would need about {giga(need.total)} ({giga(need.weights)} for its weights, "
            f"{giga(need.total - need.weights)} for the run), and {giga(free)} of memory are free: take a smaller "
            "model, or a shorter text (--max-tokens)."
        )


def free_memory() -> int:
    """What the machine has left, or the container, whose limit the machine does not know."""
    import psutil

    return min([psutil.virtual_memory().available, *_left_in_group(GROUP)])


def _left_in_group(group: Path) -> list[int]:
    """Of version 2 and version 1 of control groups; what is cached of files can be given up, and is not in use."""
    left = []
    for limit, used, stat, cached in GROUP_FILES:
        try:
            most, now = int((group / limit).read_text()), int((group / used).read_text())
            known = dict(line.split() for line in (group / stat).read_text().splitlines())
            left.append(max(0, most - now + int(known.get(cached, 0))))
        except (OSError, ValueError):  # no such file, or "max": no limit
            continue
    return left


def out_of_memory(error: BaseException | None) -> bool:
    """Whether this, or what it came from, is a complaint about memory: libraries say so in their own words."""
    while error is not None:
        said = str(error).lower()
        if isinstance(error, MemoryError) or any(words in said for words in ("allocate memory", "out of memory")):
            return True
        error = error.__cause__ or error.__context__
    return False


def giga(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _said(config, otherwise: int, *names: str) -> int:
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return otherwise
