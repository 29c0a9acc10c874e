"""How often does a head's strongest look fall on the word it should?"""

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_tied(maps: Tensor, at: Tensor, to: Tensor) -> Tensor:
    """Sentence by sentence, head by head: the most attended *other* word, compared with the gold one."""
    sentences, heads, _, words = maps.shape
    hits = torch.zeros(heads, dtype=maps.dtype)
    for s in range(sentences):
        for h in range(heads):
            others = [j for j in range(words) if j != int(at[s])]
            best = max(others, key=lambda j: float(maps[s, h, int(at[s]), j]))
            hits[h] += best == int(to[s])
    return hits / sentences


def _rows(maps: Tensor, at: Tensor) -> Tensor:
    return maps[torch.arange(len(maps)), :, at]  # (sentence, head, word)


def _without_itself(rows: Tensor, at: Tensor) -> Tensor:
    return rows.masked_fill(torch.arange(rows.shape[-1]) == at[:, None, None], -1)


def _share(found: Tensor, to: Tensor) -> Tensor:
    return (found == to[:, None]).double().mean(0)


def _case(name: str, sentences: int, heads: int, words: int, seed: int, itself: float = 0.0) -> Case:
    """Random maps that lean towards the gold tie, head by head more, and towards each word itself."""
    rng = torch.Generator().manual_seed(seed)
    at = torch.randint(words, (sentences,), generator=rng)
    to = (at + torch.randint(1, words, (sentences,), generator=rng)) % words
    scores = random(sentences, heads, words, words, seed=seed)
    scores = scores + itself * torch.eye(words)
    scores[torch.arange(sentences), :, at, to] += torch.linspace(0, 2, heads).double()
    return Case(name, (scores.softmax(-1), at, to))


TASK = Task(
    id="heads.tied",
    reference=slow_tied,
    cases=(
        _case("1 sentence of 3 words, 2 heads", 1, 2, 3, seed=2),
        _case("3 sentences of 4 words, 2 heads", 3, 2, 4, seed=5),
        _case("4 sentences, heads that look mostly at the word itself", 4, 2, 4, seed=7, itself=4.0),
        _case("20 sentences of 6 words, 5 heads", 20, 5, 6, seed=11, itself=1.0),
    ),
    axes=("head",),
    gradients=False,
    mistakes=(
        Mistake(
            "itself_counts",
            "The word itself takes part in the contest. Many heads look mostly at the word that asks; the question is "
            "which *other* word comes first. Take column `at` out of the running.",
            lambda maps, at, to: _share(_rows(maps, at).argmax(-1), to),
        ),
        Mistake(
            "wrong_way_round",
            "You read the tie backwards: row `to`, and whether it falls on `at`. Rows are queries: the word at `at` "
            "looks.",
            lambda maps, at, to: _share(_without_itself(_rows(maps, to), to).argmax(-1), at),
        ),
        Mistake(
            "who_looks_at_it",
            "You asked who looks most at the word: a column. The row of the word says where *it* looks.",
            lambda maps, at, to: _share(_without_itself(_rows(maps.transpose(-2, -1), at), at).argmax(-1), to),
        ),
        Mistake(
            "mean_weight",
            "This is the mean weight on the gold word. It was asked how often the gold word comes *first*.",
            lambda maps, at, to: (
                _rows(maps, at).gather(-1, to[:, None, None].expand(-1, maps.shape[1], 1))[..., 0].mean(0)
            ),
        ),
        Mistake(
            "weight_left_over",
            "This is the share of sentences in which the gold word gets more than half of the weight. It need only get "
            "more than each other word.",
            lambda maps, at, to: (
                (_rows(maps, at).gather(-1, to[:, None, None].expand(-1, maps.shape[1], 1))[..., 0] > 0.5)
                .double()
                .mean(0)
            ),
        ),
        Mistake(
            "heads_averaged",
            "The heads were averaged before the contest, so all of them get the same number. Score each one alone.",
            lambda maps, at, to: _share(
                _without_itself(_rows(maps.mean(1, keepdim=True).expand_as(maps), at), at).argmax(-1), to
            ),
        ),
        Mistake(
            "counted",
            "This is how many times, not how often: divide by the number of sentences.",
            lambda maps, at, to: _share(_without_itself(_rows(maps, at), at).argmax(-1), to) * len(maps),
        ),
    ),
)
