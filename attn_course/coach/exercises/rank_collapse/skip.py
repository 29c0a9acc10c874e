"""What a stack with skips adds up: the parts of its output, by how many attentions they went through."""

from itertools import combinations

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_paths(x: Tensor, maps: Tensor, skip: float, branch: float) -> Tensor:
    """Dong et al. (2021, 2103.03404): one by one, every choice of layers that a path goes through."""
    layers = len(maps)
    parts = []
    for k in range(layers + 1):
        total = torch.zeros_like(x)
        for chosen in combinations(range(layers), k):
            path = x
            for layer in range(layers):
                path = branch * (maps[layer] @ path) if layer in chosen else skip * path
            total = total + path
        parts.append(total)
    return torch.stack(parts)


def _stack(x: Tensor, maps: Tensor, skip: float, branch: float) -> Tensor:
    for a in maps:
        x = skip * x + branch * a @ x
    return x


def _answer(x: Tensor, maps: Tensor, skip: float, branch: float) -> Tensor:
    parts = [x] + [torch.zeros_like(x) for _ in maps]
    for a in maps:
        through = [torch.zeros_like(x)] + [branch * a @ part for part in parts[:-1]]
        parts = [skip * part + new for part, new in zip(parts, through, strict=True)]
    return torch.stack(parts)


def _updated_too_early(x: Tensor, maps: Tensor, skip: float, branch: float) -> Tensor:
    parts = [x] + [torch.zeros_like(x) for _ in maps]
    for a in maps:
        parts[0] = skip * parts[0]
        for k in range(1, len(parts)):
            parts[k] = skip * parts[k] + branch * a @ parts[k - 1]
    return torch.stack(parts)


def _first_layers_only(x: Tensor, maps: Tensor, skip: float, branch: float) -> Tensor:
    parts, path = [], x
    for k in range(len(maps) + 1):
        parts.append(skip ** (len(maps) - k) * path)
        path = branch * maps[k] @ path if k < len(maps) else path
    return torch.stack(parts)


def _stream_by_layer(x: Tensor, maps: Tensor, skip: float, branch: float) -> Tensor:
    states = [x]
    for a in maps:
        states.append(skip * states[-1] + branch * a @ states[-1])
    return torch.stack(states)


def _added_by_layer(x: Tensor, maps: Tensor, skip: float, branch: float) -> Tensor:
    parts = [x]
    for a in maps:
        parts.append(branch * a @ x)
        x = skip * x + branch * a @ x
    return torch.stack(parts)


def _adds_up(out: Tensor, x: Tensor, maps: Tensor, skip: float, branch: float) -> str | None:
    whole = _stack(x, maps, skip, branch)
    if (out.sum(0) - whole).abs().max() < 1e-9 * (1 + whole.abs().max()):
        return None
    return "All parts together should be the output of x ← skip · x + branch · A x, layer after layer; yours are not."


def _case(name: str, layers: int, n: int, d: int, skip: float = 1.0, branch: float = 1.0) -> Case:
    seed = 100 * layers + 10 * n + d
    maps = random(layers, n, n, seed=seed).softmax(-1)
    return Case(name, (random(n, d, seed=seed + 1), maps, skip, branch))


TASK = Task(
    id="rank-collapse.skip",
    reference=slow_paths,
    cases=(
        _case("1 layer, 2 tokens, 1 feature", 1, 2, 1),
        _case("2 layers, 2 tokens, 1 feature", 2, 2, 1),
        _case("2 layers, 3 tokens, 2 features, skip 0.5, branch 2", 2, 3, 2, skip=0.5, branch=2.0),
        _case("3 layers, 3 tokens, 2 features, branch 1/√3", 3, 3, 2, branch=3**-0.5),
        _case("4 layers, 3 tokens, 2 features, no skip", 4, 3, 2, skip=0.0),
        _case("5 layers, 4 tokens, 3 features, skip 0.7, branch 0.4", 5, 4, 3, skip=0.7, branch=0.4),
    ),
    axes=("attentions", "token", "feature"),
    properties=(_adds_up,),
    mistakes=(
        Mistake(
            "updated_too_early",
            "Within one layer you read a part that you had just written: a path goes through the same attention twice. "
            "Make the new parts from the *old* ones: all at once, or from the longest to the shortest.",
            _updated_too_early,
        ),
        Mistake(
            "order_reversed",
            "The layers come in the wrong order: what the last one reads has been through the first, so its map stands "
            "on the left.",
            lambda x, maps, skip, branch: _answer(x, maps.flip(0), skip, branch),
        ),
        Mistake(
            "first_layers_only",
            "For k attentions you took the first k layers. Any k of them make a path: with three layers, three paths "
            "go through two.",
            _first_layers_only,
        ),
        Mistake(
            "stream_by_layer",
            "These are the tokens after each layer. Asked is the *output*, taken apart by how many attentions its "
            "parts went through.",
            _stream_by_layer,
        ),
        Mistake(
            "added_by_layer",
            "These are the input and what each layer adds to the stream. What a layer adds has itself been through any "
            "number of attentions before: sort by that number.",
            _added_by_layer,
        ),
        Mistake(
            "at_most",
            "Element k holds the paths through *at most* k attentions: every path is counted several times. Exactly k.",
            lambda *args: _answer(*args).cumsum(0),
        ),
        Mistake(
            "skip_without_its_strength",
            "A part that passes a layer by is multiplied by `skip` there.",
            lambda x, maps, skip, branch: _answer(x, maps, 1.0, branch),
        ),
        Mistake(
            "branch_without_its_strength",
            "A part that goes through an attention is multiplied by `branch` there.",
            lambda x, maps, skip, branch: _answer(x, maps, skip, 1.0),
        ),
        Mistake(
            "longest_first",
            "The parts come in falling order. Element 0 is what passed all attentions by.",
            lambda *args: _answer(*args).flip(0),
        ),
        Mistake(
            "mean_of_the_paths",
            "You took the mean of the paths of each length. They are added.",
            lambda x, maps, skip, branch: torch.stack(
                [
                    part / len(list(combinations(range(len(maps)), k)))
                    for k, part in enumerate(_answer(x, maps, skip, branch))
                ]
            ),
        ),
    ),
)
