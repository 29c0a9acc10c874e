"""Which heads can go? Every head of two models taken out alone, beside its importance; and orders of taking them out.

A head's cost is what the loss rises by when that head is silent, its drift how far the outputs then are from the whole
model's, which needs no truth to be compared with. Its importance is the slope of the loss at its gate
(`attention.gating`), read off one backward pass. Heads are chosen by one part of the text; what that costs is said on
another, by models from which the heads are really gone.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.attention import silencing
from attn_course.attention.gating import gating
from attn_course.attention.watching import layers_of
from attn_course.models.pruned import size, without_heads
from attn_course.training.waste import MODELS, PARTS, Subject, resampled, spearman, subject

DRAWS = 5  # random orders
STEPS = {"MiniLM": 6, "language": 1}  # heads between two points of a curve
Head = tuple[int, int]  # layer, head


def heads_of(model: nn.Module) -> list[Head]:
    """Every head of a model, layer after layer."""
    return [(layer, head) for layer, each in enumerate(layers_of(model).values()) for head in range(each.heads)]


@torch.no_grad()
def alone(of: Subject, part: str) -> dict[str, Float[Tensor, "head text"]]:
    """The "cost" and the "drift" of each text when one head is silent. Layers below it give what they gave before."""
    tokens, _, visible = of.given(part)
    blocks, names = of.model.stack.blocks, list(layers_of(of.model))
    before = through(of.model.embed(tokens), blocks, visible)

    def outputs(states: Tensor) -> Tensor:
        return of.model.head(of.model.stack.norm(states))

    whole, rows = of.scored(outputs(before[-1]), part), {"cost": [], "drift": []}
    for layer, head in heads_of(of.model):
        with silencing(of.model, {names[layer]: [head]}):
            after = outputs(through(before[layer], blocks[layer:], visible)[-1])
        rows["cost"].append(of.scored(after, part) - whole)
        rows["drift"].append(of.drift(after, part))
    return {name: torch.stack(each) for name, each in rows.items()}


def costs(of: Subject, part: str) -> Float[Tensor, "head text"]:
    """What each text loses when one head is silent."""
    return alone(of, part)["cost"]


def through(x: Tensor, blocks: Sequence[nn.Module], visible) -> list[Tensor]:
    """x, and what stands there after each block in turn."""
    states = [x]
    for block in blocks:
        states.append(block(states[-1], visible))
    return states


@torch.no_grad()
def pair_costs(of: Subject, part: str) -> list[dict]:
    """What is lost with each two heads silent: "heads", "cost"."""
    whole = of.losses(of.model, part).mean()
    found = []
    for pair in combinations(heads_of(of.model), 2):
        loss = of.losses(without_heads(of.model, by_layer(pair)), part).mean()
        found.append({"heads": [list(head) for head in pair], "cost": round((loss - whole).item(), 5)})
    return found


def importances(of: Subject, part: str, model: nn.Module | None = None) -> Float[Tensor, "head text"]:
    """|∂L/∂gate| of each head in each text, L the sum of the texts' losses (Michel et al. 2019)."""
    model = of.model if model is None else model
    layers = layers_of(model)
    texts = len(of.given(part)[0])
    like = next(model.parameters())
    gates = {name: like.new_ones(texts, layer.heads, requires_grad=True) for name, layer in layers.items()}
    with gating(model, gates):
        slopes = torch.autograd.grad(of.losses(model, part).sum(), list(gates.values()))
    return torch.cat([slope.abs().T for slope in slopes])


def normalised(values: Float[Tensor, "head"], heads: Sequence[Head]) -> Float[Tensor, "head"]:
    """Divided by the Euclidean norm of their layer, as Michel et al. do."""
    layers = torch.tensor([layer for layer, _ in heads])
    norms = torch.stack([values[layers == layer].norm() for layer in range(int(layers.max()) + 1)])
    return values / norms[layers]


def ordered(heads: Sequence[Head], values: Float[Tensor, "head"]) -> list[Head]:
    """Smallest first."""
    return [heads[place] for place in values.argsort(stable=True).tolist()]


def greedy(of: Subject, part: str) -> list[Head]:
    """Each time the head whose loss is least missed, with those before it gone already."""
    left, gone = heads_of(of.model), []
    with torch.no_grad():
        while left:
            loss = {head: of.losses(without_heads(of.model, by_layer([*gone, head])), part).mean() for head in left}
            gone.append(min(left, key=loss.get))
            left.remove(gone[-1])
    return gone


def by_slope_again(of: Subject, part: str, step: int) -> list[Head]:
    """By importance, measured anew in what is left after every `step` heads. Raises ValueError for a step below 1."""
    _check_step(step)
    heads = heads_of(of.model)
    left, gone = heads, []
    while left:
        model = without_heads(of.model, by_layer(gone))
        gone += ordered(left, importances(of, part, model).mean(-1))[:step]
        left = [head for head in heads if head not in gone]
    return gone


def by_layer(heads: Sequence[Head]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for layer, head in heads:
        found.setdefault(layer, []).append(head)
    return found


def curve(of: Subject, order: Sequence[Head], part: str, step: int) -> list[dict]:
    """What is left after each `step` heads: "removed", the figures, "parameters" and "cache_bytes" (a token).

    Raises ValueError for a step below 1. A last step that is not whole is left out.
    """
    _check_step(step)
    rows = []
    for removed in range(0, len(order) + 1, step):
        smaller = without_heads(of.model, by_layer(order[:removed]))
        left = size(smaller)
        figures = {name: round(value, 4) + 0.0 for name, value in of.figures(smaller, part).items()}  # no −0
        rows.append({"removed": removed} | figures | {"parameters": left.parameters, "cache_bytes": left.cache_bytes})
    return rows


def _check_step(step: int) -> None:
    if step < 1:
        raise ValueError(f"A step takes out one head at least, got step={step}.")


def measure(models: Sequence[str] = MODELS, draws: int = DRAWS, steps: dict[str, int] = STEPS) -> dict:
    """For each model: every head's cost and importance, how they agree, and the curve of each order."""
    return {"draws": draws} | {name: _of_model(subject(name), draws, steps[name]) for name in models}


def _of_model(of: Subject, draws: int, step: int) -> dict:
    heads = heads_of(of.model)
    found = {part: alone(of, part) | {"importance": importances(of, part)} for part in PARTS}
    mean = {name: each.mean(-1) for name, each in found["choose"].items()}
    orders = {
        "importance": ordered(heads, mean["importance"]),
        "importance, normalised": ordered(heads, normalised(mean["importance"], heads)),
        "importance, measured again": by_slope_again(of, "choose", step),
        "ablation": ordered(heads, mean["cost"]),
        "drift": ordered(heads, mean["drift"]),
        "the costly first": ordered(heads, -mean["cost"]),
    }
    small = len(heads) <= 16  # what follows takes thousands of runs of a larger one
    if small:
        orders["greedy"] = greedy(of, "choose")
    for draw in range(draws):
        dice = torch.randperm(len(heads), generator=torch.Generator().manual_seed(draw)).tolist()
        orders[f"random {draw}"] = [heads[place] for place in dice]
    rows = {
        name: {part: _rounded(each[name].mean(-1)) for part, each in found.items()}
        for name in ("cost", "drift", "importance")
    }
    errors = {part: _rounded(each["cost"].std(-1) / each["cost"].shape[1] ** 0.5) for part, each in found.items()}
    return {
        "unit": of.unit,
        "texts": {part: each["cost"].shape[1] for part, each in found.items()},
        "heads": [list(head) for head in heads],
        **rows,
        "cost_error": errors,
        "agree": _agreements(found, heads),
        "orders": {name: [list(head) for head in order] for name, order in orders.items()},
        "curves": {name: curve(of, order, "held out", step) for name, order in orders.items()},
        **({"pairs": pair_costs(of, "held out")} if small else {}),
    }


def _agreements(found: dict, heads: Sequence[Head]) -> dict:
    """Rank correlations over the heads, each with the 95 % that drawing the texts anew leaves."""

    def within(one: str, other: str, change: Callable = lambda x: x, part: str = "choose") -> dict:
        def of(texts: Tensor) -> float:
            return spearman(change(found[part][one][:, texts].mean(-1)), found[part][other][:, texts].mean(-1))

        n = found[part][one].shape[1]
        return {"spearman": round(of(torch.arange(n)), 4), "95 %": _rounded(resampled(of, n))}

    def across(name: str) -> dict:
        return {"spearman": round(spearman(*(found[part][name].mean(-1) for part in PARTS)), 4)}

    return {
        "importance and cost": within("importance", "cost"),
        "normalised importance and cost": within("importance", "cost", lambda x: normalised(x, heads)),
        "importance and drift": within("importance", "drift"),
        "cost and drift": within("cost", "drift"),
        "importance and cost, held out": within("importance", "cost", part="held out"),
        "importance and drift, held out": within("importance", "drift", part="held out"),
        **{f"{name} on one part and on the other": across(name) for name in ("cost", "drift", "importance")},
    }


def _rounded(values) -> list[float]:
    values = values.tolist() if isinstance(values, Tensor) else values
    return [float(f"{value:.4g}") for value in values]
