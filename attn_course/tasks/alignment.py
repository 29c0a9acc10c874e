"""Which word stands for which: what attention says, and how wrong it is.

Source of the score: Och and Ney 2003, "A Systematic Comparison of Various Statistical Alignment Models".
"""

from collections.abc import Iterable, Sequence

from jaxtyping import Float
from torch import Tensor

from attn_course.tasks.translation import Link, Pair


def looks(weights: Float[Tensor, "target source"]) -> frozenset[Link]:
    """Where each row looks most: one link for each target word, to the source word of the largest weight."""
    return frozenset(enumerate(weights.argmax(dim=-1).tolist()))


def diagonal(n_target: int, n_source: int) -> frozenset[Link]:
    """The rule without a model: the words of the two sentences in their order, stretched to fit."""
    return frozenset((t, (2 * t + 1) * n_source // (2 * n_target)) for t in range(n_target))


def alignment_error(found: Iterable[Iterable[Link]], pairs: Sequence[Pair]) -> float:
    """AER = 1 − (|A∩S| + |A∩P|) / (|A| + |S|), links counted over all pairs.

    A are the links found (one set for each pair), S the sure and P the possible ones (S among them). 0 is perfect:
    every sure link is found, and nothing that is not at least possible. Links in P are never demanded.
    Raises ValueError if there are not as many sets of links as pairs, or neither any link found nor any sure one.
    """
    found = [frozenset(links) for links in found]
    if len(found) != len(pairs):
        raise ValueError(f"There should be one set of links for each pair, got {len(found)} and {len(pairs)}.")
    sure = sum(len(links & one.sure) for links, one in zip(found, pairs, strict=True))
    possible = sum(len(links & one.possible) for links, one in zip(found, pairs, strict=True))
    total = sum(map(len, found)) + sum(len(one.sure) for one in pairs)
    if total == 0:
        raise ValueError("There are no links at all, so there is no error to speak of.")
    return 1 - (sure + possible) / total


def read_at(
    weights: Float[Tensor, "batch step source"], pairs: Sequence[Pair], late: int = 0
) -> list[Float[Tensor, "target source"]]:
    """The rows of a decoder's map that belong to the German words, one matrix for each pair.

    Step t reads the words before word t, and writes word t: so row t says where the decoder looked when it chose it.
    `late=1` is the mistake: the row at which word t is *read*, one step after it was written.
    """
    rows = []
    for one_map, one in zip(weights, pairs, strict=True):
        rows.append(one_map[late : late + len(one.target), : len(one.source)])
    return rows
