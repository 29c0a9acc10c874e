"""The alignment error: how far found links are from those that a person drew."""

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_aer(found: Tensor, sure: Tensor, possible: Tensor) -> float:
    """Link by link. AER = 1 − (|A∩S| + |A∩P|) / (|A| + |S|)."""
    hits = total = 0
    for t in range(found.shape[0]):
        for s in range(found.shape[1]):
            hits += bool(found[t, s] and sure[t, s]) + bool(found[t, s] and possible[t, s])
            total += bool(found[t, s]) + bool(sure[t, s])
    return 1 - hits / total


def _count(links: Tensor) -> int:
    return int(links.sum())


def _links(*rows: str) -> Tensor:
    return torch.tensor([[mark == "x" for mark in row] for row in rows])


def _case(name: str, found: Tensor, gold: tuple[Tensor, Tensor]) -> Case:
    # float32 is good enough: whoever divides tensors of counts gets it
    return Case(name, (found, gold[0], gold[0] | gold[1]), tolerance=1e-6)


# "forty two" → "zwei und vierzig": und may be linked to either word
_CROSSED = _links(".x", "..", "x."), _links("..", "xx", "..")
_LONGER = (
    _links("x.....", ".x....", "....x.", "......", "...x..", ".....x"),
    _links("......", "......", "......", "...xx.", "......", "......"),
)

TASK = Task(
    id="transformer.aer",
    reference=slow_aer,
    cases=(
        _case("forty two → zwei und vierzig, read in order", _links("x.", ".x", ".x"), _CROSSED),
        _case("the same, all that is sure found, and und linked twice", _links(".x", "xx", "x."), _CROSSED),
        _case("the same, one link found", _links(".x", "..", ".."), _CROSSED),
        _case(
            "three hundred and forty two thousand → drei hundert zwei und vierzig tausend",
            _links("x.....", "..x...", "....x.", "...x..", ".....x", ".....x"),
            _LONGER,
        ),
    ),
    gradients=False,
    mistakes=(
        Mistake(
            "possible_demanded",
            "You divide by |A| + |P|: then a link that is only possible counts as missing when it is not found. Only "
            "sure links are demanded, so divide by |A| + |S|.",
            lambda found, sure, possible: (
                1 - (_count(found & sure) + _count(found & possible)) / (_count(found) + _count(possible))
            ),
        ),
        Mistake(
            "sure_alone",
            'Links that are possible and not sure count as wrong here, so "und" cannot be linked without blame. One '
            "of the two intersections is with P.",
            lambda found, sure, possible: 1 - 2 * _count(found & sure) / (_count(found) + _count(sure)),
        ),
        Mistake(
            "possible_alone",
            "Both intersections are with P. |A∩S| asks whether what is sure was found, |A∩P| whether what was found "
            "is allowed.",
            lambda found, sure, possible: 1 - 2 * _count(found & possible) / (_count(found) + _count(sure)),
        ),
        Mistake(
            "not_an_error",
            "This is the score that is 1 when all is right. The *error* is 1 minus it.",
            lambda found, sure, possible: (
                (_count(found & sure) + _count(found & possible)) / (_count(found) + _count(sure))
            ),
        ),
        Mistake(
            "precision",
            "This is the share of found links that are not possible: 1 − precision. Sure links that were not found "
            "cost nothing here, and finding little would be best.",
            lambda found, sure, possible: 1 - _count(found & possible) / _count(found),
        ),
        Mistake(
            "recall",
            "This is the share of sure links that were not found: 1 − recall. Linking everything with everything "
            "would be perfect.",
            lambda found, sure, possible: 1 - _count(found & sure) / _count(sure),
        ),
        Mistake(
            "cells_that_differ",
            "This is the share of cells in which found and sure differ. Most cells are empty in both, which makes any "
            "alignment look good; and what is only possible counts as wrong.",
            lambda found, sure, possible: (found != sure).double().mean().item(),
        ),
    ),
)
