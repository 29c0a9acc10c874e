"""Kinds of tokens exchanged for others, wherever they stand: which of them decides the answer?"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attn_course.diagnosis.trials.asked import Asked, scores
from attn_course.diagnosis.trials.tried import Swap

KINDS, OFTEN = 24, 0.1  # so many kinds at most, those in most rows; in fewer rows than a tenth none is tried
ROWS = 96
GROUP = 4  # kinds that may decide together, as the markers of so many topics


def swaps_of(model: nn.Module, asked: Asked) -> tuple[Swap, ...]:
    """For each frequent kind: how often the answer changes when it is exchanged for another frequent kind.

    The kind exchanged for is the one that changes most. `apart`: the same, the few kinds that change most left out (0
    for themselves), so that what it does to make a word into a marker is not counted for the word. Declared kinds are
    always tried, and those that may decide are not exchanged.
    """
    asked = asked.rows(ROWS)
    kinds = _frequent(asked)
    if len(kinds) < 4:
        return ()
    changed = _changed(model, asked, kinds)  # (kind, other)
    rest = without_group(changed, min(GROUP, max(2, len(kinds) // 4)))
    most = changed.max(1)
    share = [(asked.tokens == kind).any(1).double().mean().item() for kind in kinds]
    return tuple(
        Swap(
            kind,
            kinds[most.indices[at]],
            share[at],
            most.values[at].item(),
            rest[at].max().item(),
            kind in asked.must_not,
        )
        for at, kind in enumerate(kinds)
    )


def without_group(changed: Float[Tensor, "kind other"], size: int) -> Float[Tensor, "kind other"]:
    """0 where one of the kinds that change most takes part: the two of the greatest exchange, then, of the greatest
    exchange among the others, the kind that changes more in all, until there are `size`."""
    rest = changed.clone()
    out: list[int] = []
    while len(out) < size and rest.any():
        pair = divmod(int(rest.argmax()), len(rest))
        out += [max(pair, key=lambda kind: (rest[kind].sum() + rest[:, kind].sum()).item())] if out else pair
        rest[out], rest[:, out] = 0, 0
    return rest


def _changed(model: nn.Module, asked: Asked, kinds: list[int]) -> Float[Tensor, "kind other"]:
    """The share of the rows holding a kind whose answer changes when it becomes another."""
    answer, tokens = scores(model, asked).argmax(-1), asked.tokens
    found = torch.zeros(len(kinds), len(kinds))
    for at, kind in enumerate(kinds):
        holds = (tokens == kind).any(1)
        for to, other in enumerate(kinds):
            if other != kind:
                swapped = torch.where(tokens == kind, other, tokens)
                changed = scores(model, asked, swapped).argmax(-1) != answer
                found[at, to] = changed[holds].float().mean()
    return found


def _frequent(asked: Asked) -> list[int]:
    """Kinds that must not decide, and the kinds that stand in most rows, without those that may."""
    tokens = asked.tokens
    share = {kind: (tokens == kind).any(1).double().mean().item() for kind in tokens.unique().tolist()}
    often = sorted((kind for kind in share if share[kind] >= OFTEN), key=lambda kind: -share[kind])
    kinds = [kind for kind in asked.must_not if kind in share] + often
    return [kind for kind in dict.fromkeys(kinds) if kind not in asked.may][:KINDS]
