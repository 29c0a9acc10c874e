"""Which words lie near which in a model's vectors: the association test of Caliskan et al. 2017 (arXiv 1608.07187).

    test = TESTS["career/family"]                               # attn_course.tasks.word_sets
    sets = [vectors(read_in("This is {}.", words)) for words in (test.x, test.y, test.a, test.b)]
    weat(*sets)                                                 # Weat(effect=…, p=…, exact=True)

s(w, A, B) is how much nearer a word w lies to the words A than to B, by mean cosines; the test asks whether the words X
have more of it than the words Y. A p-value says how often words dealt out to X and Y by chance would differ as much: it
is about these words in this template, and knows nothing of other words and other templates.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import torch
from jaxtyping import Float
from torch import Tensor

EXACT = 20_000  # splits: up to so many are all counted
DRAWN = 9_999  # else so many are drawn

Vectors = Float[Tensor, "word d"]


@dataclass(frozen=True)
class Weat:
    effect: float  # in standard deviations of s over all words of X and Y
    p: float  # one-sided
    exact: bool  # whether every split was counted


def weat(x: Vectors, y: Vectors, a: Vectors, b: Vectors, permutations: int = DRAWN, seed: int = 0) -> Weat:
    """Effect size and p-value; x and y are the targets, a and b the attributes. Raises ValueError as its parts do."""
    at_x, at_y = association(x, a, b), association(y, a, b)
    p, exact = p_value(at_x, at_y, permutations, seed)
    return Weat(effect_size(at_x, at_y), p, exact)


def association(w: Vectors, a: Vectors, b: Vectors) -> Float[Tensor, "word"]:
    """s(w, A, B): mean cosine with the words of a, less that with the words of b, for each word. −2 to 2."""
    _check(w, a, b)
    w, a, b = (each.double() / each.double().norm(dim=-1, keepdim=True) for each in (w, a, b))
    return (w @ a.T).mean(-1) - (w @ b.T).mean(-1)


def effect_size(at_x: Float[Tensor, "word"], at_y: Float[Tensor, "word"]) -> float:
    """(mean of X − mean of Y) / standard deviation over both, that of a sample (n − 1).

    With sets of one size it lies between −2 and 2. Raises ValueError where all words are alike.
    """
    _check_numbers(at_x, at_y)
    std = torch.cat([at_x, at_y]).std()
    if not std > 0:
        raise ValueError(
            "All words lie equally near to both attributes, so there is no unit to measure a difference in."
        )
    return ((at_x.mean() - at_y.mean()) / std).item()


def p_value(
    at_x: Float[Tensor, "word"], at_y: Float[Tensor, "word"], permutations: int = DRAWN, seed: int = 0
) -> tuple[float, bool]:
    """How often words dealt out by chance give X as great a sum of s as it has, or a greater one; and if that is exact.

    Where there are at most 20,000 ways to deal them, all are counted. Else `permutations` are drawn, and what was
    observed counts as one of them, so that p is never 0.
    """
    if permutations < 1:
        raise ValueError(f"permutations should be 1 or more, got {permutations!r}.")
    _check_numbers(at_x, at_y)
    both = torch.cat([at_x, at_y]).double()
    n, of_x = len(both), len(at_x)
    observed = at_x.double().sum() - 1e-12 * n  # what is the same but for rounding counts as the same
    if comb(n, of_x) <= EXACT:
        dealt = torch.tensor(list(combinations(range(n), of_x)))
        return (both[dealt].sum(-1) >= observed).double().mean().item(), True
    dealt = torch.rand(permutations, n, generator=torch.Generator().manual_seed(seed)).argsort(-1)[:, :of_x]
    as_great = int((both[dealt].sum(-1) >= observed).sum())
    return (as_great + 1) / (permutations + 1), False


def _check_numbers(at_x: Tensor, at_y: Tensor) -> None:
    if at_x.dim() != 1 or at_y.dim() != 1 or not len(at_x) or not len(at_y):
        raise ValueError(
            "Both sets of targets need a number for each of at least one word, got "
            f"{tuple(at_x.shape)} and {tuple(at_y.shape)}."
        )
    if not (torch.isfinite(at_x).all() and torch.isfinite(at_y).all()):
        raise ValueError("Some associations are not finite, so nothing can be said of how rare they are.")


def _check(*sets: Vectors) -> None:
    if any(each.dim() != 2 or not len(each) for each in sets) or len({each.shape[-1] for each in sets}) > 1:
        raise ValueError(
            "Each set should be (word, d) with at least one word, and d the same in all; got "
            f"{', '.join(str(tuple(each.shape)) for each in sets)}."
        )
    if not all(torch.isfinite(each).all() and (each.norm(dim=-1) > 0).all() for each in sets):
        raise ValueError("A vector is zero or not finite, so it has no cosine with any other.")
