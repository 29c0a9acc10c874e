"""Which weights of an attention layer make queries, which keys, which values: by the names that models give them.

Some keep three matrices, some one. In one matrix the three lie side by side (GPT-2, Phi-3), or head by head: so many
queries, a key, a value, and so on through the groups (GPT-NeoX, BLOOM, Falcon).
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

SEPARATE = (
    ("w_q", "w_k", "w_v"),  # this course
    ("q_proj", "k_proj", "v_proj"),  # Llama and most others
    ("query", "key", "value"),  # BERT
    ("q_lin", "k_lin", "v_lin"),  # DistilBERT
    ("q", "k", "v"),  # T5
    ("query_proj", "key_proj", "value_proj"),  # DeBERTa
    ("linear_q", "linear_k", "linear_v"),
    ("to_q", "to_k", "to_v"),
    ("wq", "wk", "wv"),
)
FUSED = ("c_attn", "qkv", "qkv_proj", "Wqkv", "query_key_value")
OUTPUT = ("w_o", "o_proj", "c_proj", "out_proj", "out_lin", "dense", "o", "wo", "proj", "linear_out")
_HEADS = ("heads", "num_heads", "num_attention_heads", "n_heads", "n_head")
_KV_HEADS = ("kv_heads", "num_key_value_heads", "num_kv_heads")

Part = tuple[
    nn.Parameter, Callable[[Tensor], Tensor]
]  # a weight, and which of its numbers (or its gradient's) are meant


@dataclass(frozen=True)
class Projections:
    """W_Q, W_K and W_V of one layer."""

    parts: dict[str, Part]  # "query", "key", "value"
    heads: int | None  # how many heads look; None: not said

    def __getitem__(self, part: str) -> Part:
        return self.parts[part]

    def values(self):
        return self.parts.values()


def attention_modules(model: nn.Module) -> tuple[dict[str, nn.Module], list[str]]:
    """The layers of a model whose projections are known, by name; and a sentence for each that has other names."""
    found = {name: layer for name, layer in model.named_modules() if _names(layer) is not None}
    told: list[str] = []
    for name, layer in model.named_modules():
        called = any(word in type(layer).__name__ for word in ("Attention", "MultiHead"))
        if called and not any(_around(name, other) or _around(other, name) for other in (*found, *told)):
            told.append(name)
    return found, [_looked_for(name, model.get_submodule(name)) for name in told]


def projections(layer: nn.Module) -> Projections:
    """W_Q, W_K and W_V of a layer that `attention_modules` found."""
    names = _names(layer)
    heads = _number(layer, _HEADS)
    kv_heads = _number(layer, _KV_HEADS) or heads
    if len(names) == 3:
        weights = [getattr(layer, name).weight for name in names]
        parts = [(weight, _everything) for weight in weights]
    elif len(names) == 2:  # GPT-2's cross-attention: queries apart, keys and values in one
        one, both = (getattr(layer, name) for name in names)
        parts = [(one.weight, _everything)]
        parts += [(both.weight, _side_by_side(both, 2, at, None, None)) for at in range(2)]
    else:
        fused = getattr(layer, names[0])
        by_group = names[0] == "query_key_value" or _big_code(layer)
        cut = _in_groups if by_group and heads is not None else _side_by_side
        cut = _in_fours if type(layer).__name__.startswith("CodeGen") else cut
        parts = [(fused.weight, cut(fused, 3, at, heads, kv_heads)) for at in range(3)]
    return Projections(dict(zip(("query", "key", "value"), parts, strict=True)), heads)


def _names(layer: nn.Module) -> tuple[str, ...] | None:
    """The names of its projections; None: it has none of those that are known."""
    for names in SEPARATE:
        if all(_has_weight(layer, name) for name in names):
            return names
    if _has_weight(layer, "q_attn") and _has_weight(layer, "c_attn"):
        return ("q_attn", "c_attn")
    return next(((name,) for name in FUSED if _has_weight(layer, name)), None)


def _has_weight(layer: nn.Module, name: str) -> bool:
    weight = getattr(getattr(layer, name, None), "weight", None)
    return isinstance(weight, nn.Parameter) and weight.dim() == 2


def _number(layer: nn.Module, names: tuple[str, ...]) -> int | None:
    """A number that the layer, or its configuration, has under one of these names."""
    for owner in (layer, getattr(layer, "config", None)):
        for name in names:
            found = getattr(owner, name, None)
            if isinstance(found, int):
                return found
    return None


def _big_code(layer: nn.Module) -> bool:
    """GPT-BigCode with as many key heads as query heads goes head by head, though its matrix is called as GPT-2's."""
    return type(layer).__name__.startswith("GPTBigCode") and not getattr(layer, "multi_query", False)


def _everything(weight: Tensor) -> Tensor:
    return weight


def _rows(projection: nn.Module) -> Callable[[Tensor], Tensor]:
    """A weight as (output, input), whichever way its layer keeps it: GPT-2's Conv1D keeps (input, output)."""
    return (lambda weight: weight.T) if type(projection).__name__ == "Conv1D" else _everything


def _side_by_side(
    projection: nn.Module, of: int, at: int, heads: int | None, kv_heads: int | None
) -> Callable[[Tensor], Tensor]:
    """All queries, then all keys, then all values; in equal parts unless fewer heads are looked at."""
    rows = _rows(projection)

    def part(weight: Tensor) -> Tensor:
        weight = rows(weight)
        if heads is None or heads == kv_heads:
            return weight.chunk(of)[at]
        d = weight.shape[0] // (heads + 2 * kv_heads)
        return weight.split([heads * d, kv_heads * d, kv_heads * d])[at]

    return part


def _in_groups(projection: nn.Module, of: int, at: int, heads: int, kv_heads: int) -> Callable[[Tensor], Tensor]:
    """Group by group: the queries of its heads, its key, its value."""
    rows, group = _rows(projection), heads // kv_heads

    def part(weight: Tensor) -> Tensor:
        weight = rows(weight).unflatten(0, (kv_heads, group + 2, -1))  # (group, queries + 2, d, input)
        return weight[:, [slice(0, group), slice(group, group + 1), slice(group + 1, group + 2)][at]]

    return part


def _in_fours(projection: nn.Module, of: int, at: int, heads: int, kv_heads: int) -> Callable[[Tensor], Tensor]:
    """CodeGen's, made for four processors: in each quarter its queries, then its values, then its keys."""
    return lambda weight: weight.unflatten(0, (4, of, -1))[:, (0, 2, 1)[at]]


def _around(name: str, other: str) -> bool:
    return name == other or other.startswith(f"{name}.") or not name


def _looked_for(name: str, layer: nn.Module) -> str:
    children = ", ".join(child for child, _ in layer.named_children()) or "no layers inside"
    known = ", ".join("/".join(names) for names in SEPARATE)
    return (
        f"The projections of {name or 'the model'} ({type(layer).__name__}) are not known: it has {children}; looked "
        f"for were {known}, and in one matrix {', '.join(FUSED)}. So its gradients are not told apart."
    )
