"""Which layers can go? All subsets of a model's blocks, of its attention layers, of its feed-forward networks.

A model of six blocks has 64 subsets, so nothing need be guessed: what an order of removal costs can be held against
the best that there is and against all. Beside them, the measure that is to foretell it: how much each block turns the
tokens (block influence, Men et al. 2024, 2403.03853), and how much its attention does (He et al. 2024, 2406.15786).
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attn_course.models.pruned import size, without_attention, without_blocks, without_feed_forward
from attn_course.training.waste import MODELS, PARTS, Subject, subject

REMOVED = {"blocks": without_blocks, "attention": without_attention, "feed-forward": without_feed_forward}


@torch.no_grad()
def influences(of: Subject, part: str) -> dict[str, list[float]]:
    """1 − E cos(before, after) of each "block", and 1 − E cos(x, x + Attn(x)) of each "attention", x its input."""
    tokens, keep, visible = of.given(part)
    x, found = of.model.embed(tokens), {"block": [], "attention": []}
    for block in of.model.stack.blocks:
        given = x if block.normalises_stream else block.norm_attention(x)
        after = block(x, visible)
        found["block"].append(_turned(x, after, keep))
        found["attention"].append(_turned(x, x + block.attention(given, visible=visible), keep))
        x = after
    return found


def _turned(before: Tensor, after: Tensor, keep: Bool[Tensor, "text token"]) -> float:
    return 1 - nn.functional.cosine_similarity(before, after, dim=-1)[keep].mean().item()


def every_subset(of: Subject, part: str, what: str) -> Iterator[tuple[tuple[int, ...], Float[Tensor, "text token d"]]]:
    """Each subset of layers that are gone, smallest first in their order, with the model's outputs without them.

    Subsets that begin alike share the run of the layers where they do. Raises ValueError for an unknown `what`.
    """
    if what not in REMOVED:
        raise ValueError(f"what should be one of {', '.join(REMOVED)}; got {what!r}.")
    tokens, _, visible = of.given(part)
    blocks = of.model.stack.blocks
    without = _replacements(of.model, what, visible)

    @torch.no_grad()  # here, for what is outside runs before the first subset is asked for
    def onward(x: Tensor, number: int, gone: tuple[int, ...]):
        if number == len(blocks):
            yield gone, of.model.head(of.model.stack.norm(x))
            return
        yield from onward(blocks[number](x, visible), number + 1, gone)
        yield from onward(without[number](x), number + 1, (*gone, number))

    with torch.no_grad():
        embedded = of.model.embed(tokens)
    return onward(embedded, 0, ())


def _replacements(model: nn.Module, what: str, visible) -> list[Callable[[Tensor], Tensor]]:
    """What stands in each block's place."""
    numbers = range(len(model.stack.blocks))
    if what == "blocks":
        return [lambda x: x for _ in numbers]
    less = REMOVED[what](model, numbers).stack.blocks
    return [lambda x, block=less[number]: block(x, visible) for number in numbers]


def measure(models: Sequence[str] = MODELS) -> dict:
    """For each model: "influence" of each layer, "saved" parameters of each, and the figures of all subsets."""
    return {name: _of_model(subject(name)) for name in models}


def _of_model(of: Subject) -> dict:
    whole = size(of.model).parameters
    numbers = range(len(of.model.stack.blocks))
    found: dict = {
        "unit": of.unit,
        "parameters": whole,
        "influence": {name: _rounded(values) for name, values in influences(of, "choose").items()},
        "saved": {},
        "subsets": {},
    }
    for what, remove in REMOVED.items():
        found["saved"][what] = [whole - size(remove(of.model, [number])).parameters for number in numbers]
        rows: dict[tuple[int, ...], dict] = {}
        for part in PARTS:
            for gone, outputs in every_subset(of, part, what):
                figures = of.figures_of(outputs, part)
                rows.setdefault(gone, {"gone": list(gone)})[part] = dict(
                    zip(figures, _rounded(figures.values()), strict=True)
                )
        found["subsets"][what] = sorted(rows.values(), key=lambda row: (len(row["gone"]), row["gone"]))
    return found


def along(rows: Sequence[dict], order: Sequence[int], part: str = "held out", figure: str = "loss") -> list[float]:
    """The figure as layers go in this order, one after the other, out of one model's "subsets" of one kind."""
    table = {tuple(row["gone"]): row[part][figure] for row in rows}
    return [table[tuple(sorted(order[:count]))] for count in range(len(order) + 1)]


def best(rows: Sequence[dict], part: str = "choose", figure: str = "loss") -> list[tuple[int, ...]]:
    """Of the subsets of each size, the one with the smallest figure."""
    most = max(len(row["gone"]) for row in rows)
    by_size = [[row for row in rows if len(row["gone"]) == count] for count in range(most + 1)]
    return [tuple(min(some, key=lambda row: row[part][figure])["gone"]) for some in by_size]


def _rounded(values) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
