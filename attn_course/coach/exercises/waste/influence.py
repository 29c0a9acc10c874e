"""How far does each block turn the tokens? Blocks that turn none look as if they could go."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_influence(states: Tensor, keep: Tensor) -> Tensor:
    """Block by block, token by token: 1 − cos(before, after), averaged over the tokens that are kept."""
    found = []
    for before, after in itertools.pairwise(states):
        turned = []
        for text in range(len(keep)):
            for token in range(keep.shape[1]):
                if keep[text, token]:
                    a, b = before[text, token], after[text, token]
                    turned.append(1 - torch.dot(a, b) / (a.norm() * b.norm()))
        found.append(sum(turned) / len(turned))
    return torch.stack(found)


def _cosine(a: Tensor, b: Tensor, axis: int = -1) -> Tensor:
    return (a * b).sum(axis) / (a.norm(dim=axis) * b.norm(dim=axis))


def _with(
    turned: Callable = lambda before, after: 1 - _cosine(before, after),
    mean: Callable = lambda turned, keep: turned[:, keep].mean(-1),
    before: Callable = lambda states: states[:-1],
) -> Callable:
    """The solution with one part exchanged for a wrong one."""
    return lambda states, keep: mean(turned(before(states), states[1:]), keep)


def _text_by_text(turned: Tensor, keep: Tensor) -> Tensor:
    return ((turned * keep).sum(-1) / keep.sum(-1)).mean(-1)


def _of_the_mean_token(states: Tensor, keep: Tensor) -> Tensor:
    means = states[:, keep].mean(1)  # (state, d)
    return 1 - _cosine(means[:-1], means[1:])


def _all_at_once(states: Tensor, keep: Tensor) -> Tensor:
    flat = states[:, keep].flatten(1)  # (state, token · d)
    return 1 - _cosine(flat[:-1], flat[1:])


def _filler_as_zeros(states: Tensor, keep: Tensor) -> Tensor:
    turned = 1 - _cosine(states[:-1], states[1:])
    return (turned * keep).mean((-2, -1))


def _zero_states(states: Tensor, keep: Tensor) -> Tensor:
    """The filler's states are set to zero. The cosine of two zero vectors is taken for 0, as torch's function does."""
    silent = states * keep[..., None]
    return (1 - torch.nn.functional.cosine_similarity(silent[:-1], silent[1:], dim=-1)).mean((-2, -1))


def _in_range(out: Tensor, *_) -> str | None:
    outside = ((out < -1e-9) | (out > 2 + 1e-9)).any()
    return "1 − cos lies between 0 and 2, and so does its mean; yours does not." if outside else None


def _states(blocks: int, batch: int, n: int, d: int, seed: int, step: float = 0.6) -> Tensor:
    """A stream of tokens of very different lengths, to which each block adds something."""
    length = (1 + torch.arange(n, dtype=torch.float64)) ** 2
    x = random(batch, n, d, seed=seed) * length[:, None]
    states = [x]
    for block in range(blocks):
        states.append(states[-1] + step * (block + 1) * length[:, None] * random(batch, n, d, seed=seed + block + 1))
    return torch.stack(states)


def _case(name: str, blocks: int, lengths: list[int], d: int, seed: int) -> Case:
    n = max(lengths)
    keep = torch.arange(n) < torch.tensor(lengths)[:, None]
    return Case(name, (_states(blocks, len(lengths), n, d, seed), keep))


TASK = Task(
    id="waste.influence",
    reference=slow_influence,
    cases=(
        _case("1 block, 2 tokens of 2 features", 1, [2], 2, 1),
        _case("2 blocks, 3 tokens of 3 features", 2, [3], 3, 11),
        _case("2 blocks, texts of 2 and 4 tokens, the first filled up", 2, [2, 4], 3, 21),
        Case(
            "2 blocks that only stretch or turn about, 3 tokens",
            (
                torch.stack([random(1, 3, 4, seed=31) * by for by in (1.0, 3.0, -0.5)]),
                torch.ones(1, 3, dtype=torch.bool),
            ),
        ),
        _case("5 blocks, texts of 4, 1 and 6 tokens", 5, [4, 1, 6], 8, 41),
    ),
    axes=("block",),
    mistakes=(
        Mistake(
            "filler_counted",
            "The filler tokens are counted as well. They are turned like any other, and no loss hears of them: take "
            "the mean over the tokens that `keep` marks.",
            _with(mean=lambda turned, keep: turned.mean((-2, -1))),
        ),
        Mistake(
            "filler_as_zeros",
            "The filler tokens count as tokens that were not turned at all: you set them to zero, and divide by the "
            "number of all. Divide by the number of tokens that are kept.",
            _filler_as_zeros,
        ),
        Mistake(
            "text_by_text",
            "You averaged over each text first, so a token of a short text counts more than one of a long text. All "
            "kept tokens count alike.",
            _with(mean=_text_by_text),
        ),
        Mistake(
            "of_the_mean_token",
            "You averaged the tokens' vectors and then took one cosine. Tokens that turn in different ways cancel in "
            "the mean: first a cosine for each token, then the mean of the cosines.",
            _of_the_mean_token,
        ),
        Mistake(
            "all_at_once",
            "All tokens were laid into one long vector, where the long ones decide. A cosine for each token, then the "
            "mean.",
            _all_at_once,
        ),
        Mistake(
            "likeness",
            "This is the mean cosine: 1 for a block that does nothing. Influence is 1 minus that.",
            _with(turned=_cosine),
        ),
        Mistake(
            "against_the_first",
            "You compare each state with the first one, what all blocks up to there have done together. A block's own "
            "influence is between its input and its output.",
            _with(before=lambda states: states[:1]),
        ),
        Mistake(
            "against_the_last",
            "You compare each state with the last one, what all blocks from there on do together. A block's own "
            "influence is between its input and its output.",
            lambda states, keep: (1 - _cosine(states[:-1], states[-1:]))[:, keep].mean(-1),
        ),
        Mistake(
            "filler_made_zero",
            "You set the states of filler to zero and average over everything: a vector of zeros has cosine 0 with any "
            "other, so filler counts as turned by 1. Leave it out of the mean.",
            _zero_states,
        ),
        Mistake(
            "how_far",
            "You measured how far a token moves beside its length. A block that makes every token three times as long "
            "turns none of them: compare directions.",
            _with(turned=lambda a, b: (b - a).norm(dim=-1) / a.norm(dim=-1)),
        ),
        Mistake(
            "not_divided",
            "This is 1 minus the dot product. Divide it by both lengths first.",
            _with(turned=lambda a, b: 1 - (a * b).sum(-1)),
        ),
        Mistake(
            "either_way",
            "You took the absolute value of the cosine. A block that turns a token about has done a great deal: its "
            "cosine is −1, its influence 2.",
            _with(turned=lambda a, b: 1 - _cosine(a, b).abs()),
        ),
    ),
    properties=(_in_range,),
)
