"""Which words go with the label? Log-odds of every word, in units of their own uncertainty."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_audit(tokens: Tensor, labels: Tensor, words: int) -> Tensor:
    """Word by word: a two-by-two table of sentences, one half added to each cell (Haldane 1955, Woolf 1955)."""
    scores = []
    for word in range(words):
        table = {(has, label): 0.5 for has in (True, False) for label in (0, 1)}
        for sentence, label in zip(tokens.tolist(), labels.tolist(), strict=True):
            table[word in sentence, int(label)] += 1
        odds = {label: table[True, label] / table[False, label] for label in (0, 1)}
        error = math.sqrt(sum(1 / cell for cell in table.values()))
        scores.append(math.log(odds[1] / odds[0]) / error)
    return torch.tensor(scores, dtype=torch.float64)


def _held(tokens: Tensor, words: int) -> Tensor:
    """(sentence, word): 1 where the sentence holds the word, however often."""
    return (tokens[..., None] == torch.arange(words)).any(1).double()


def _occurrences(tokens: Tensor, words: int) -> Tensor:
    return (tokens[..., None] == torch.arange(words)).sum(1).double()


def _odds(has: Tensor, hasnt: Tensor) -> Tensor:
    return has.log() - hasnt.log()


def _woolf(cells: tuple[Tensor, ...]) -> Tensor:
    return sum(1 / cell for cell in cells).sqrt()


def _with(
    held: Callable = _held,
    half: float | tuple[float, float] = 0.5,
    odds: Callable = _odds,
    divide: Callable = _woolf,
    turn: Callable = lambda labels: labels,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(tokens, labels, words):
        has, label = held(tokens, words), turn(labels)
        above, below = half if isinstance(half, tuple) else (half, half)
        in_1, in_0 = label @ has, (1 - label) @ has
        cells = (in_1 + above, label.sum() - in_1 + below, in_0 + above, (1 - label).sum() - in_0 + below)
        return (odds(*cells[:2]) - odds(*cells[2:])) / divide(cells)

    return answer


def _of(*sentences: tuple[int, list[int]]) -> tuple[Tensor, Tensor]:
    labels, tokens = zip(*sentences, strict=True)
    return torch.tensor(tokens), torch.tensor(labels, dtype=torch.float64)


def _drawn(sentences: int, length: int, words: int, seed: int, ones: float = 0.5) -> tuple[Tensor, Tensor]:
    """Words drawn at random, the frequent ones first; word 0 is a mark that goes with the label in 9 of 10."""
    rng = torch.Generator().manual_seed(seed)
    labels = (torch.rand(sentences, generator=rng) < ones).double()
    shares = 1 / torch.arange(1.0, words)
    tokens = 1 + torch.multinomial(shares, sentences * length, replacement=True, generator=rng).view(sentences, length)
    marked = (torch.rand(sentences, generator=rng) < 0.9) == (labels > 0)
    tokens[:, 0] = torch.where(marked, 0, tokens[:, 0])
    return tokens, labels


def _no_name_matters(out: Tensor, tokens: Tensor, labels: Tensor, words: int) -> str | None:
    seen = torch.zeros(words, dtype=torch.bool)
    seen[tokens.flatten()] = True
    if labels.sum() * 2 == len(labels) and out[~seen].abs().gt(1e-9).any():
        word = int((~seen & (out.abs() > 1e-9)).nonzero()[0])
        return f"Word {word} stands in no sentence, and both classes are as large: its score should be 0."
    return None


TASK = Task(
    id="bias.audit",
    reference=slow_audit,
    cases=(
        Case("2 sentences, 3 words", (*_of((1, [0, 1]), (0, [2, 1])), 3)),
        Case(
            "4 sentences, 4 words, one of them in none", (*_of((1, [0, 1]), (1, [0, 2]), (0, [1, 2]), (0, [2, 1])), 4)
        ),
        Case(
            "4 sentences, one of which says a word three times",
            (*_of((1, [0, 0, 0]), (1, [1, 2, 1]), (0, [0, 1, 2]), (0, [2, 1, 1])), 3),
        ),
        Case(
            "6 sentences, four of one class and two of the other",
            (*_of((1, [0, 1]), (1, [0, 2]), (1, [1, 2]), (1, [0, 1]), (0, [1, 2]), (0, [0, 2])), 3),
        ),
        Case("40 sentences of 6 tokens, 12 words, the first a mark", (*_drawn(40, 6, 12, 1), 12)),
        Case("60 sentences of 8 tokens, 20 words, a third of one class", (*_drawn(60, 8, 20, 2, 0.33), 20)),
    ),
    axes=("word",),
    gradients=False,
    properties=(_no_name_matters,),
    mistakes=(
        Mistake(
            "occurrences",
            "You counted how often a word is said. Count the sentences that hold it: one that says a word three times "
            "is one sentence.",
            _with(held=_occurrences),
        ),
        Mistake(
            "not_smoothed",
            "Nothing was added to the counts. A word that stands in no sentence of one class has infinite log-odds, "
            "or NaN: add ½ to each of the four cells.",
            _with(half=0.0),
        ),
        Mistake(
            "one_added",
            "You added 1 to each cell. Here it is ½, which pulls rare words less towards 0.",
            _with(half=1.0),
        ),
        Mistake(
            "half_smoothed",
            "The ½ is missing from the sentences that do *not* hold the word. A word in every sentence then divides by "
            "zero: all four cells get it.",
            _with(half=(0.5, 0.0)),
        ),
        Mistake(
            "shares_not_odds",
            "You compared shares, a / (a + b). Odds are a / b: sentences that hold the word against those that do not.",
            _with(odds=lambda has, hasnt: has.log() - (has + hasnt).log()),
        ),
        Mistake(
            "counts_compared",
            "You compared counts. If one class has more sentences, every word seems to go with it: take the odds "
            "within each class.",
            _with(odds=lambda has, hasnt: has.log()),
        ),
        Mistake(
            "not_divided",
            "These are the log-odds themselves. A word in three sentences can have large ones by chance: divide by the "
            "standard error, √ of the sum of 1 / cell.",
            _with(divide=lambda cells: 1.0),
        ),
        Mistake(
            "variance",
            "You divided by the variance, the sum of 1 / cell. Its root is the standard error.",
            _with(divide=lambda cells: sum(1 / cell for cell in cells)),
        ),
        Mistake(
            "other_way_round",
            "The sign is turned round: positive should mean that the word goes with label 1.",
            _with(turn=lambda labels: 1 - labels),
        ),
        Mistake(
            "absolute",
            "You took the absolute value. The sign says which label a word goes with.",
            lambda tokens, labels, words: _with()(tokens, labels, words).abs(),
        ),
        Mistake(
            "bits",
            "You took the logarithm to base 2. The standard error is that of the natural one.",
            _with(odds=lambda has, hasnt: has.log2() - hasnt.log2()),
        ),
    ),
)
